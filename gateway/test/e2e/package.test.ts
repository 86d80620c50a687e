/** The gateway as somebody installs it: packed by `npm pack`, installed into an empty folder without a registry. */
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { startProcess } from '../support/program.js';
import { startRedis } from '../support/redis-servers.js';

const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url));
const SECRET = 'a secret of more than thirty-two bytes';
const PATIENCE = { timeout: 30_000 };

let folder: string;
let app: string;
let packed: readonly string[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fanfare-package-'));
  app = join(folder, 'app');
  // A copy, since other tests run gateways in the folder that is filled for packing.
  for (const name of ['bin', 'dist', 'package.json', 'README.md'])
    await cp(join(REPOSITORY, 'gateway', name), join(folder, 'gateway', name), { recursive: true });
  await symlink(join(REPOSITORY, 'scripts'), join(folder, 'scripts'));
  await mkdir(app);
  const npm = async (cwd: string, ...args: string[]) => {
    const env = { ...withoutNpm(), npm_config_cache: join(folder, 'cache') };
    return (await promisify(execFile)('npm', [...args, '--no-audit', '--no-fund'], { cwd, env })).stdout;
  };
  const [{ filename, files }] = JSON.parse(await npm(join(folder, 'gateway'), 'pack', '--json')) as [
    { filename: string; files: readonly { path: string }[] },
  ];
  packed = files.map(({ path }) => path);
  await npm(app, 'install', '--offline', join(folder, 'gateway', filename));
}, 120_000);
afterAll(() => rm(folder, { recursive: true }));

/** What `npm test` says to programs beneath it would be heard by npm here. */
function withoutNpm(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)));
}

const installed = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  startProcess([join(app, 'node_modules/.bin/fanfare'), ...args], { PATH: process.env.PATH ?? '', ...env }, app);

/** Serves, and resolves with where. */
async function serve(env: Readonly<Record<string, string>>): Promise<string> {
  const { output, child, closed } = await installed(['serve'], { FANFARE_PORT: '0', ...env });
  onTestFinished(async () => {
    child.kill('SIGTERM');
    await closed;
  });
  const url = () => /^.*listening.*url=(\S+)(?: workers=| healthPort=| mode=)/m.exec(output.stdout)?.[1];
  await expect.poll(() => url() ?? output.stdout + output.stderr, PATIENCE).toMatch(/^http:\S+$/);
  return url() as string;
}

async function run(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const { output, closed } = await installed(args, env);
  const [code] = await closed;
  return { code, ...output };
}

describe('the packed gateway', () => {
  it('carries its program, its packages and their licenses, and nothing of the workshop', async () => {
    expect(packed).toEqual(expect.arrayContaining(['LICENSE', 'README.md', 'THIRD-PARTY-NOTICES.md']));
    expect(packed).toEqual(expect.arrayContaining(['dist/demo/index.html', 'dist/broker/redis/scripts/publish.lua']));
    expect(packed.filter((path) => /\.map$|\.test\.|^src\/|uWebSockets/.test(path))).toEqual([]);
    expect(await readdir(join(app, 'node_modules/@fanfare'))).toEqual(['gateway']);
  });

  it('serves, with the page in development', async () => {
    const url = await serve({});
    const page = await (await fetch(url)).text();
    expect(page).toContain('<title>');
    for (const [, script] of page.matchAll(/<script[^>]* src="([^"]+)"/g))
      expect((await fetch(new URL(script as string, url))).status).toBe(200);
    const { code, stdout } = await run(['publish', 'demo:packed', '{"n":1}', '--url', url]);
    expect([code, stdout]).toEqual([0, expect.stringContaining('"offset":1')]);
  });

  it('makes tokens, finds a Redis fit, and serves it with workers', async () => {
    const token = await run(['token', '--sub', 'u1', '--allow', 'chat:*=subscribe'], { FANFARE_JWT_SECRET: SECRET });
    expect(decodeJwt(token.stdout.trim())).toMatchObject({ sub: 'u1', channels: { 'chat:*': ['subscribe'] } });
    const redis = await startRedis();
    onTestFinished(() => redis.stop());
    const settings = { FANFARE_REDIS_URL: redis.url };
    expect(await run(['check'], settings)).toMatchObject({ code: 0 });
    const url = await serve({ ...settings, FANFARE_WORKERS: '2' });
    expect((await fetch(`${url}/health/ready`)).status).toBe(200);
  });
});
