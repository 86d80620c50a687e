import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('../../bin/fanfare.mjs', import.meta.url));
const START_TIMEOUT_MS = 45_000;

export interface GatewayProcessOptions {
  /** Settings by environment name, without `FANFARE_`: `{ REDIS_URL: … }`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Content of its configuration file. */
  readonly file?: object;
  /** 0, the default, takes a free one. */
  readonly port?: number;
  /** Further environment variables, by their whole names. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A real gateway in a process of its own, in a private folder. */
export interface GatewayProcess {
  readonly port: number;
  readonly pid: number;
  readonly httpUrl: string;
  readonly wsUrl: string;
  /** Everything it printed so far. */
  readonly output: () => string;
  readonly exited: Promise<unknown>;
  publish(body: object): Promise<{ status: number; body: Record<string, unknown> }>;
  /** Sends a signal; SIGKILL waits until it is gone. */
  signal(signal: NodeJS.Signals): Promise<void>;
  /** Ends it in good order. */
  stop(): Promise<void>;
}

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export async function startGatewayProcess(options: GatewayProcessOptions = {}): Promise<GatewayProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'fanfare-gateway-'));
  if (options.file) await writeFile(join(folder, 'fanfare.config.json'), JSON.stringify(options.file));
  const { settings = {} } = options;
  const variables = Object.entries(settings).map(([name, value]) => [`FANFARE_${name}`, value]);
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(FANFARE_|REDIS_URL$|PORT$|NODE_ENV$)/.test(name),
  );
  const child = spawn(process.execPath, [PROGRAM, 'serve'], {
    cwd: folder,
    env: {
      ...Object.fromEntries(inherited),
      FANFARE_PORT: String(options.port ?? 0),
      ...Object.fromEntries(variables),
      ...options.env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  let output = '';
  // Not `exit`: what it said last may come behind that.
  const exited = once(child, 'close').finally(async () => {
    running.delete(child);
    await rm(folder, { recursive: true, force: true });
  });
  const port = await new Promise<number>((resolve, reject) => {
    const fail = (why: string) => {
      child.kill('SIGKILL');
      reject(new Error(`the gateway ${why}:\n${output}`));
    };
    const timeout = setTimeout(() => fail('did not start in time'), START_TIMEOUT_MS);
    const onExit = () => fail('ended');
    child.once('close', onExit);
    const onData = (chunk: Buffer) => {
      output += chunk.toString();
      const found = portIn(output, Number(settings.WORKERS ?? 1) > 1);
      if (found === undefined) return;
      clearTimeout(timeout);
      child.off('close', onExit);
      resolve(found);
    };
    child.stdout.on('data', onData);
    child.stderr.on('data', onData);
  });
  const httpUrl = `http://127.0.0.1:${port}`;
  const [apiKey = 'dev'] = settings.API_KEYS?.split(',') ?? [];
  return {
    port,
    pid: child.pid as number,
    httpUrl,
    wsUrl: `ws://127.0.0.1:${port}/ws`,
    output: () => output,
    exited,
    async publish(body) {
      const response = await fetch(`${httpUrl}/v1/publish`, {
        method: 'POST',
        headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      return { status: response.status, body: (await response.json()) as Record<string, unknown> };
    },
    async signal(signal) {
      child.kill(signal);
      if (signal === 'SIGKILL') await exited;
    },
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      await exited;
    },
  };
}

/** From the line that says it listens, in either format; of several workers each says so first, the primary last. */
function portIn(output: string, hasWorkers: boolean): number | undefined {
  const line = output
    .split('\n')
    .find((one) => /\blistening\b/.test(one) && (!hasWorkers || /\bworkers"?[=:]/.test(one)));
  const port = line && /\burl"?[=:]"?https?:\/\/[^\s"]*:(\d+)/.exec(line)?.[1];
  return port ? Number(port) : undefined;
}
