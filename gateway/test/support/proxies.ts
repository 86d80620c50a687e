/** Real proxies as processes, with configurations that were written for hosts called `gateway-1` and `gateway-2`. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './redis-servers.js';

export interface Backend {
  readonly port: number;
  /** Where it is asked for its health, if elsewhere. */
  readonly healthPort?: number | undefined;
}

export interface BalancerProcess {
  readonly port: number;
  /** `gateway-1` to `UP` or `DOWN`, with what comes behind it; of HAProxy only. */
  states(): Promise<Map<string, string>>;
  stop(): Promise<void>;
}

/** Fails with the name of its line if the configuration is not as it was. */
function replaced(text: string, what: RegExp, by: (...match: string[]) => string): string {
  if (!what.test(text)) throw new Error(`the configuration has no ${what}`);
  return text.replace(what, by);
}

/** @param config the very text that operators are given; only addresses are changed. */
export async function startHaproxy(config: string, backends: readonly Backend[]): Promise<BalancerProcess> {
  const port = await freePort();
  const folder = await mkdtemp(join(tmpdir(), 'fanfare-haproxy-'));
  const socket = join(folder, 'stats.sock');
  let text = replaced(config, /^( *)bind :\d+$/m, (_, indent) => `${indent}bind 127.0.0.1:${port}`);
  text = text.replace(/ port \d+/g, '');
  text = replaced(text, /^( *)server (gateway-(\d)) gateway-\d:\d+$/gm, (_, indent, name, n) => {
    const backend = backends[Number(n) - 1] as Backend;
    const elsewhere = backend.healthPort === undefined ? '' : ` port ${backend.healthPort}`;
    return `${indent}server ${name} 127.0.0.1:${backend.port}${elsewhere}`;
  });
  await writeFile(join(folder, 'haproxy.cfg'), `global\n  stats socket ${socket}\n\n${text}`);
  const child = startProgram('haproxy', ['-db', '-f', join(folder, 'haproxy.cfg')]);
  await accepts(port, child);
  return {
    port,
    async states() {
      const answer = await ask(socket, 'show stat\n');
      const rows = answer.split('\n').map((line) => line.split(','));
      const column = rows[0]?.indexOf('status') ?? -1;
      return new Map(
        rows.filter(([, name]) => name?.startsWith('gateway-')).map((row) => [row[1] as string, row[column] as string]),
      );
    },
    stop: () => endProgram(child, folder),
  };
}

/** @param config what stands in the http block. */
export async function startNginx(config: string, backends: readonly Backend[]): Promise<BalancerProcess> {
  const port = await freePort();
  const folder = await mkdtemp(join(tmpdir(), 'fanfare-nginx-'));
  let text = replaced(config, /listen \d+;/, () => `listen 127.0.0.1:${port};`);
  text = replaced(text, /server gateway-(\d):\d+/g, (_, n) => `server 127.0.0.1:${backends[Number(n) - 1]?.port}`);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${name};\n`);
  const main = `${process.getuid?.() === 0 ? 'user root;\n' : ''}worker_processes 1;\npid nginx.pid;\nevents {}\n`;
  await writeFile(join(folder, 'nginx.conf'), `${main}http {\naccess_log off;\n${temporary.join('')}${text}\n}\n`);
  const log = join(folder, 'error.log');
  const child = startProgram('nginx', ['-p', folder, '-c', 'nginx.conf', '-e', log, '-g', 'daemon off;']);
  await accepts(port, child, log);
  return { port, states: async () => new Map(), stop: () => endProgram(child, folder) };
}

/** @param config a whole Caddyfile with one site. */
export async function startCaddy(config: string, backends: readonly Backend[]): Promise<BalancerProcess> {
  const port = await freePort();
  const folder = await mkdtemp(join(tmpdir(), 'fanfare-caddy-'));
  let text = replaced(config, /^\S+ \{$/m, () => `http://127.0.0.1:${port} {`);
  text = replaced(text, /gateway-(\d):\d+/g, (_, n) => `127.0.0.1:${backends[Number(n) - 1]?.port}`);
  await writeFile(join(folder, 'Caddyfile'), `{\n  admin off\n  log {\n    output discard\n  }\n}\n\n${text}`);
  const env = { HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
  const args = ['run', '--config', join(folder, 'Caddyfile'), '--adapter', 'caddyfile'];
  const child = startProgram('caddy', args, env);
  await accepts(port, child);
  return { port, states: async () => new Map(), stop: () => endProgram(child, folder) };
}

function startProgram(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): ChildProcess {
  const child = spawn(program, args, {
    env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin`, ...env },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  process.once('exit', () => child.kill('SIGKILL'));
  return child;
}

async function endProgram(child: ChildProcess, folder: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
  await rm(folder, { recursive: true });
}

async function accepts(port: number, child: ChildProcess, log?: string): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`the proxy ended: ${log ? await readFile(log, 'utf8') : 'see above'}`);
    const socket = connect(port, '127.0.0.1');
    const isUp = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
    socket.destroy();
    if (isUp) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function ask(path: string, command: string): Promise<string> {
  const socket = connect(path);
  socket.end(command);
  let answer = '';
  for await (const chunk of socket) answer += String(chunk);
  return answer;
}
