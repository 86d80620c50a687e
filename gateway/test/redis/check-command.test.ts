import { expect, it, onTestFinished } from 'vitest';
import { runCommand } from '../../src/cli/commands.js';
import { startRedis } from '../support/redis-servers.js';

async function check(url: string) {
  let output = '';
  const say = (text: string) => {
    output += text;
  };
  const io = { env: {}, cwd: '/nowhere', out: say, err: say, untilStopped: () => new Promise<string>(() => undefined) };
  return { code: await runCommand(['check', '--redis-url', url], io), output };
}

it('check tells each finding in a line, and exits 1 where a gateway would not start', async () => {
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  const fit = await check(redis.url);
  expect(fit.code).toBe(0);
  expect(fit.output).toMatch(/^ok {5}.*version 7/m);
  expect(fit.output).toMatch(/^advice .*replicas/m);

  await redis.node.client.config('SET', 'maxmemory-policy', 'allkeys-lru');
  const unfit = await check(redis.url);
  expect(unfit.code).toBe(1);
  expect(unfit.output).toMatch(/^ERROR .*maxmemory-policy is allkeys-lru/m);
});

it('check says that nobody answers', async () => {
  const { code, output } = await check('redis://127.0.0.1:1');
  expect(code).toBe(1);
  expect(output).toMatch(/^ERROR .*127\.0\.0\.1:1/m);
});
