import { Command as IoredisCommand, Redis, type RedisOptions } from 'ioredis';
import type { Clock } from '../clock.js';
import { within } from './deadline.js';
import type { Command } from './resp.js';
import { formatAddress, type RedisAddress } from './url.js';

/** What connections to one deployment have in common: how to log in, and where. */
export type LinkOptions = Pick<RedisOptions, 'username' | 'password' | 'tls' | 'db' | 'connectionName'>;

/**
 * Opens one plain RESP3 connection: pushes and replies share it. It never reconnects, resubscribes,
 * resends or queues by itself: when it ends, everything that was asked on it has failed.
 * Rejects with one clear line if the server does not shake hands within `handshakeMs`.
 */
export async function openLink(
  address: RedisAddress,
  { db = 0, ...options }: LinkOptions,
  clock: Clock,
  handshakeMs: number,
): Promise<Redis> {
  const redis = new Redis({
    ...options,
    host: address.host,
    port: address.port,
    protocol: 3,
    lazyConnect: true,
    disableClientInfo: true,
    enableReadyCheck: false,
    enableOfflineQueue: false,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    retryStrategy: null,
    connectTimeout: handshakeMs,
    disconnectTimeout: 1, // a frozen server would never end its side
  });
  let cause: Error | undefined;
  redis.on('error', (error: Error) => {
    cause = error; // ioredis rejects with a bare "Connection is closed"
  });
  try {
    await within(clock, handshakeMs, 'handshake', redis.connect());
    if (redis.condition?.protocol !== 3) throw new Error('it does not speak RESP3; Redis 7 is needed');
    // We select it ourselves: where ioredis cannot, it says nothing and goes on in database 0.
    if (db !== 0) await within(clock, handshakeMs, `database ${db}`, redis.select(db));
    return redis;
  } catch (error) {
    redis.disconnect();
    const reason = cause ?? (error as Error);
    throw new Error(`cannot use Redis at ${formatAddress(address)}: ${reason.message}`, { cause: reason });
  }
}

/** A command of ioredis that is encoded already, and whose reply is not converted. */
class EncodedCommand extends IoredisCommand {
  readonly #bytes: Buffer;

  constructor({ name, bytes }: Command) {
    super(name, [], { replyEncoding: null });
    this.#bytes = bytes;
  }

  override toWritable(): Buffer {
    return this.#bytes;
  }
}

/**
 * Sends an encoded command as it is. Resolves with the reply, whose bulk strings are buffers. Rejects if the reply is
 * an error, or when the connection ends.
 */
export function sendEncoded(redis: Redis, command: Command): Promise<unknown> {
  return redis.sendCommand(new EncodedCommand(command)) as Promise<unknown>;
}

/** The fields of an INFO reply. */
export function parseInfo(text: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const line of text.split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1));
  }
  return fields;
}
