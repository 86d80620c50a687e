/** The gateway as somebody installs it: packed by `npm pack`, installed into an empty folder without a registry. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { PackedGateway } from '../support/packed-gateway.js';
import { startRedis } from '../support/redis-servers.js';

const SECRET = 'a secret of more than thirty-two bytes';

let gateway: PackedGateway;
beforeAll(async () => {
  gateway = await PackedGateway.install();
}, 300_000);
afterAll(() => gateway.remove());

describe('the packed gateway', () => {
  it('carries its program, its packages and their licenses, and nothing of the workshop', async () => {
    const { files } = gateway;
    expect(files).toEqual(expect.arrayContaining(['LICENSE', 'README.md', 'THIRD-PARTY-NOTICES.md']));
    expect(files).toEqual(expect.arrayContaining(['dist/demo/index.html', 'dist/broker/redis/scripts/publish.lua']));
    expect(files.filter((path) => /\.map$|\.test\.|^src\/|uWebSockets/.test(path))).toEqual([]);
    expect(await readdir(join(gateway.app, 'node_modules/@fanfare'))).toEqual(['gateway']);
  });

  it('serves, with the page in development', async () => {
    const { url } = await gateway.serve({});
    const page = await (await fetch(url)).text();
    expect(page).toContain('<title>');
    for (const [, script] of page.matchAll(/<script[^>]* src="([^"]+)"/g))
      expect((await fetch(new URL(script as string, url))).status).toBe(200);
    const { code, stdout } = await gateway.run(['publish', 'demo:packed', '{"n":1}', '--url', url]);
    expect([code, stdout]).toEqual([0, expect.stringContaining('"offset":1')]);
  });

  it('makes tokens, finds a Redis fit, and serves it with workers', async () => {
    const args = ['token', '--sub', 'u1', '--allow', 'chat:*=subscribe'];
    const token = await gateway.run(args, { FANFARE_JWT_SECRET: SECRET });
    expect(decodeJwt(token.stdout.trim())).toMatchObject({ sub: 'u1', channels: { 'chat:*': ['subscribe'] } });
    const redis = await startRedis();
    onTestFinished(() => redis.stop());
    const settings = { FANFARE_REDIS_URL: redis.url };
    expect(await gateway.run(['check'], settings)).toMatchObject({ code: 0 });
    const { url } = await gateway.serve({ ...settings, FANFARE_WORKERS: '2' });
    expect((await fetch(`${url}/health/ready`)).status).toBe(200);
  });
});
