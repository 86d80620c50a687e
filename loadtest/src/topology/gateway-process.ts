import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

interface GatewayPlan {
  /** Content of the gateway's `fanfare.config.json`. */
  readonly config: object;
  /** TCP port; 0 takes a free one. */
  readonly port: number;
  /** The program of another build than that of this workspace. */
  readonly program?: string | undefined;
}

/** A gateway in a process of its own, which ends when this process ends. */
export interface GatewayProcess {
  readonly port: number;
  readonly pid: number;
  /** URL for WebSockets, with the scheme `ws:`. */
  readonly url: string;
  /** URL for HTTP calls, with the scheme `http:`. */
  readonly api: string;
  /** Whether the process is running. */
  readonly isRunning: boolean;
  /** Lines of the gateway's log that say that something is wrong. */
  complaints(): readonly string[];
  signal(name: NodeJS.Signals): void;
  /** Kills the process by kill -9. Resolves when it is gone. */
  kill(): Promise<void>;
}

const START_DEADLINE_MS = 45_000;
const LISTENING = /\blistening\b/;
const URL_PORT = /\burl"?[=:]"?https?:\/\/[^\s"]*:(\d+)/;
const WORKERS_LISTENING = /\bworkers"?[=:]/;
/** Most lines of complaints that are kept. */
const MAX_COMPLAINTS = 1_000;

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export async function startGateway({ config, port, program = gatewayProgram() }: GatewayPlan): Promise<GatewayProcess> {
  const folder = mkdtempSync(path.join(tmpdir(), 'fanfare-gateway-'));
  writeFileSync(path.join(folder, 'fanfare.config.json'), JSON.stringify(config));
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(FANFARE_|REDIS_URL$|PORT$|NODE_ENV$)/.test(name),
  );
  const child = spawn(process.execPath, [program, 'serve'], {
    cwd: folder,
    env: { ...Object.fromEntries(inherited), FANFARE_PORT: String(port) },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A Ctrl-C at a terminal is for this process only: the gateway is needed until the audit is done.
    detached: true,
  });
  running.add(child);
  const gone = once(child, 'exit').finally(() => {
    running.delete(child);
    rmSync(folder, { recursive: true, force: true });
  });
  const isRunning = () => child.exitCode === null && child.signalCode === null;
  const complaints: string[] = [];
  let rest = '';
  let listening: number | undefined;
  const hasWorkers = Number((config as { workers?: number }).workers ?? 1) > 1;
  const take = (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const isOther = !LISTENING.test(line) || (hasWorkers && !WORKERS_LISTENING.test(line));
      const found = isOther ? undefined : URL_PORT.exec(line)?.[1];
      if (found !== undefined && listening === undefined) {
        listening = Number(found);
        // What the gateway said until now is about its configuration.
        complaints.length = 0;
      }
      if (
        found === undefined &&
        line !== '' &&
        !/"level":"info"|\binfo\b/.test(line) &&
        complaints.length < MAX_COMPLAINTS
      )
        complaints.push(line);
    }
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  const deadline = Date.now() + START_DEADLINE_MS;
  while (listening === undefined) {
    if (!isRunning() || Date.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`the gateway did not start:\n${complaints.join('\n')}${rest}`);
    }
    await sleep(20);
  }
  return {
    port: listening,
    pid: child.pid as number,
    url: `ws://127.0.0.1:${listening}/ws`,
    api: `http://127.0.0.1:${listening}/`,
    get isRunning() {
      return isRunning();
    },
    complaints: () => complaints,
    signal: (name) => void child.kill(name),
    async kill() {
      child.kill('SIGKILL');
      await gone;
    },
  };
}

/**
 * The program of the gateway that is installed beside this package.
 * @throws {Error} if it is not built, or not installed
 */
function gatewayProgram(): string {
  const places = [
    '../../../gateway/bin/fanfare.mjs',
    '../../../@fanfare/gateway/bin/fanfare.mjs',
    '../../node_modules/@fanfare/gateway/bin/fanfare.mjs',
  ];
  const found = places.map((place) => fileURLToPath(new URL(place, import.meta.url))).find(existsSync);
  if (found === undefined)
    throw new Error('no gateway to start: npm install @fanfare/gateway beside @fanfare/loadtest');
  return found;
}
