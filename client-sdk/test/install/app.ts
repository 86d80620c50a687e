import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const SDK = fileURLToPath(new URL('../..', import.meta.url));
const MODULES = path.join(SDK, '../node_modules');

/** Files by their path in the folder. */
export type Files = Readonly<Record<string, string>>;

/** The body of a program that has `createClient`: subscribes, publishes, and prints what came. */
export const SUBSCRIBE = `
  const client = createClient({ url });
  client.on('error', (error) => console.log('error', error.code, error.message));
  client.connect();
  const channel = client.channel('demo:install');
  const subscription = channel.subscribe();
  const published = subscription.ready().then(() => channel.publish({ n: 1 }));
  published.catch(() => {});
  (async () => {
    for await (const message of subscription) {
      await published;
      console.log('received', JSON.stringify(message.data));
      client.close();
    }
  })().catch(() => {});
`;
export const RECEIVED = 'received {"n":1}';
const URL_FROM_ENV = 'const url = process.env.GATEWAY_URL;\n';
export const ESM = `import { createClient } from '@fanfare/client';\n${URL_FROM_ENV}${SUBSCRIBE}`;
export const CJS = `const { createClient } = require('@fanfare/client');\n${URL_FROM_ENV}${SUBSCRIBE}`;

/** Packs the SDK as `npm publish` would. */
export function packSdk(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'fanfare-pack-'));
  const args = ['pack', '--silent', '--pack-destination', folder];
  const name = execFileSync('npm', args, { cwd: SDK, encoding: 'utf8' }).trim();
  return path.join(folder, name);
}

/** A folder as a user has it, with the packed SDK installed in it. */
export class App {
  readonly folder: string;

  /** `packages`: from the registry; `borrowed`: copied from what this repository has installed. */
  constructor(tarball: string, { packages = [], borrowed = [] }: { packages?: string[]; borrowed?: string[] } = {}) {
    this.folder = mkdtempSync(path.join(tmpdir(), 'fanfare-app-'));
    this.write({ 'package.json': '{ "name": "app", "version": "1.0.0", "private": true }' });
    const flags = ['--no-audit', '--no-fund', '--silent', packages.length > 0 ? '--prefer-offline' : '--offline'];
    execFileSync('npm', ['install', ...flags, tarball, ...packages], { cwd: this.folder, stdio: 'pipe' });
    for (const name of borrowed) {
      cpSync(path.join(MODULES, name), path.join(this.folder, 'node_modules', name), { recursive: true });
    }
  }

  write(files: Files): this {
    for (const [name, content] of Object.entries(files)) {
      const file = path.join(this.folder, name);
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, content);
    }
    return this;
  }

  file(name: string): string {
    return path.join(this.folder, name);
  }

  /** Runs a program in the folder and gives what it printed; rejects with that if it failed or took too long. */
  async run(program: string, args: string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
    const options = { cwd: this.folder, env: cleanEnv(env), timeout: 240_000, maxBuffer: 32 << 20 };
    try {
      const { stdout, stderr } = await promisify(execFile)(program, args, options);
      return stdout + stderr;
    } catch (error) {
      const { stdout = '', stderr = '', message } = error as Error & { stdout?: string; stderr?: string };
      throw new Error(`${message}\n${stdout}${stderr}`);
    }
  }

  node(args: string[], env?: Readonly<Record<string, string>>): Promise<string> {
    return this.run(process.execPath, args, env);
  }

  /** Starts a server and resolves once it has printed what matches; `stop` ends it and its children. */
  async start(program: string, args: string[], ready: RegExp, env: Readonly<Record<string, string>> = {}) {
    const child = spawn(program, args, { cwd: this.folder, env: cleanEnv(env), detached: true, stdio: 'pipe' });
    let output = '';
    const printed = new Promise<void>((resolve, reject) => {
      const onData = (chunk: Buffer) => {
        output += chunk.toString();
        if (ready.test(output)) resolve();
      };
      child.stdout.on('data', onData);
      child.stderr.on('data', onData);
      child.once('exit', () => reject(new Error(`ended:\n${output}`)));
    });
    const stop = async () => {
      if (child.exitCode !== null) return;
      process.kill(-(child.pid as number), 'SIGKILL');
      await once(child, 'exit');
    };
    await printed.catch(async (error) => {
      await stop();
      throw error;
    });
    return { output: () => output, stop };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Without what vitest and npm have set for their own children. */
function cleanEnv(env: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(NODE_|VITEST|TEST$|npm_|CI$)/.test(name));
  return { ...Object.fromEntries(inherited), ...env } as NodeJS.ProcessEnv;
}

/** Module resolutions of TypeScript, with the modules that go with them. */
const MODULES_OF = { node10: 'commonjs', node16: 'node16', nodenext: 'nodenext', bundler: 'esnext' } as const;
export type Resolution = keyof typeof MODULES_OF;
export const RESOLUTIONS = Object.keys(MODULES_OF) as Resolution[];

const TYPED = `import { createClient, type FanfareClientError, type Message } from '@fanfare/client';
import { msgpackDialect } from '@fanfare/client/msgpack';
import { sessionPositions } from '@fanfare/client/positions';
import { messagesStore } from '@fanfare/client/store';
import { createTestGateway } from '@fanfare/client/testing';

const { clock, socket } = createTestGateway();
const positions = sessionPositions();
const client = createClient({ url: 'ws://host', codec: msgpackDialect, clock, socket, positions });
messagesStore(client.channel<{ n: number }>('a')).getSnapshot().messages.map(({ data }) => data.n);
client.on('error', (error: FanfareClientError) => error.code === 'no_websocket');
client.channel<{ n: number }>('a').subscribe(({ data, offset }: Message<{ n: number }>) => data.n + (offset ?? 0));
`;

/** Compiles a program of the SDK, strictly and with the declarations of the package themselves; rejects with the errors. */
export async function checkTypes(app: App, tsc: string, moduleResolution: Resolution, options: object): Promise<void> {
  const names = MODULES_OF[moduleResolution].startsWith('node') ? ['a.ts', 'a.mts', 'a.cts'] : ['a.ts'];
  const files = names.map((name) => `types-${moduleResolution}/${name}`);
  const lib = ['es2022', 'dom'];
  const module = MODULES_OF[moduleResolution];
  const compilerOptions = { module, moduleResolution, target: 'es2022', lib, strict: true, noEmit: true, types: [] };
  app.write({
    ...Object.fromEntries(files.map((name) => [name, TYPED])),
    'tsconfig.json': JSON.stringify({ compilerOptions: { ...compilerOptions, ...options }, files }),
  });
  await app.node([tsc, '-p', '.']);
}
