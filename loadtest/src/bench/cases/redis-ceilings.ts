import { TcpIntake, takeRedisReply } from '../../generators/intake.js';
import { payload } from '../../generators/reader.js';
import { redisCommand } from '../../servers/contender.js';

/** How many commands are under way on the one connection. */
const PIPELINED = 128;

/** Numbers a message, logs it and pushes it, which is the least that a durable publish can do. */
const MINIMAL_SCRIPT = `local offset = redis.call('INCR', KEYS[1])
redis.call('XADD', KEYS[2], 'MAXLEN', '~', 1000, '1-' .. offset, 'd', ARGV[1])
redis.call('SPUBLISH', KEYS[3], ARGV[1])
return offset`;

/** Measures PUBLISH commands a second, pipelined, to a channel without subscribers. */
export function measurePublish(port: number, size: number, durationMs: number): Promise<number> {
  return measure(port, () => redisCommand('PUBLISH', 'bench', payload(0, size)), durationMs);
}

/** Measures how often the minimal script runs in a second, pipelined. */
export async function measureMinimalScript(port: number, size: number, durationMs: number): Promise<number> {
  const keys = ['{bench}:offset', '{bench}:log', '{bench}:channel'];
  const sha = await load(port);
  return measure(port, () => redisCommand('EVALSHA', sha, '3', ...keys, payload(0, size)), durationMs);
}

async function measure(port: number, command: () => string, durationMs: number): Promise<number> {
  const connection = await TcpIntake.open(port, takeRedisReply);
  const half = command().repeat(PIPELINED / 2);
  const begin = performance.now();
  await new Promise<void>((resolve) => {
    connection.onReply = () => {
      if (connection.replies % (PIPELINED / 2) !== 0) return;
      if (performance.now() - begin < durationMs) connection.write(half);
      else resolve();
    };
    connection.write(half);
    connection.write(half);
  });
  const perSecond = (connection.replies * 1000) / (performance.now() - begin);
  connection.close();
  if (connection.fault) throw new Error(`redis-server refused a command: ${connection.fault}`);
  return perSecond;
}

/** Loads the script and resolves with its digest. */
function load(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let digest = '';
    const take = (bytes: Buffer, at: number) => {
      const match = /^\$40\r\n([0-9a-f]{40})\r\n/.exec(bytes.toString('latin1', at));
      if (!match) return undefined;
      digest = match[1] as string;
      return { end: at + match[0].length, isReply: true };
    };
    TcpIntake.open(port, take).then((connection) => {
      connection.onReply = () => {
        connection.close();
        resolve(digest);
      };
      connection.write(redisCommand('SCRIPT', 'LOAD', MINIMAL_SCRIPT));
    }, reject);
  });
}
