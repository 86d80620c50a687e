import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** A gateway to survive on. */
export interface Gateway {
  /** `ws:` */
  readonly url: string;
  /** Lines of its log that tell of trouble. */
  complaints(): readonly string[];
  stop(): Promise<void>;
}

export interface GatewayPlan {
  readonly transport: 'uws' | 'ws';
  /** Messages that the log must hold. */
  readonly history: number;
  readonly messageBytes: number;
  /** Unsent bytes of a connection before it lags: few, so that a frozen reader gets there. */
  readonly bufferedBytes: number;
}

const PROGRAM = fileURLToPath(new URL('../../../gateway/bin/fanfare.mjs', import.meta.url));
const START_DEADLINE_MS = 45_000;
const LISTENING = /"url":"http:\/\/[^"]*:(\d+)".*"msg":"listening"/;

/** Starts a gateway with a memory broker, in a process of its own that ends with us. */
export async function startGateway(plan: GatewayPlan): Promise<Gateway> {
  const folder = mkdtempSync(path.join(tmpdir(), 'fanfare-survive-'));
  const open = { durable: true, subscribe: 'anyone', publish: 'anyone', history: { size: plan.history, ttl: '24h' } };
  const config = {
    mode: 'production',
    host: '127.0.0.1',
    port: 0,
    apiKeys: ['survive'],
    transport: plan.transport,
    namespaces: { demo: open },
    limits: {
      messageBytes: plan.messageBytes,
      bufferedBytes: plan.bufferedBytes,
      commandsPerSecond: 0,
      publishesPerSecond: 0,
      bytesPerSecond: 0,
    },
  };
  writeFileSync(path.join(folder, 'fanfare.config.json'), JSON.stringify(config));
  const inherited = Object.entries(process.env).filter(([name]) => !/^(FANFARE_|REDIS_URL$|PORT$)/.test(name));
  const child = spawn(process.execPath, [PROGRAM, 'serve'], {
    cwd: folder,
    env: Object.fromEntries(inherited),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const kill = () => void child.kill('SIGKILL');
  process.once('exit', kill);
  const gone = once(child, 'exit').finally(() => {
    process.off('exit', kill);
    rmSync(folder, { recursive: true, force: true });
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  const deadline = Date.now() + START_DEADLINE_MS;
  while (!LISTENING.test(output)) {
    if (child.exitCode !== null || Date.now() > deadline) {
      kill();
      throw new Error(`the gateway did not start:\n${output}`);
    }
    await sleep(20);
  }
  return {
    url: `ws://127.0.0.1:${LISTENING.exec(output)?.[1]}/ws`,
    complaints: () => output.split('\n').filter((line) => line !== '' && !line.includes('"level":"info"')),
    async stop() {
      kill();
      await gone;
    },
  };
}
