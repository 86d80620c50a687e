/** `npx @fanfare/client selftest`, on a gateway that keeps its promises, on what cannot, and on nothing. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Action, signToken } from '@fanfare/client/tokens';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';

const PROGRAM = fileURLToPath(new URL('../../../client-sdk/bin/fanfare-client.mjs', import.meta.url));

const SECRET = 'the secret of the selftest, long enough';

let gateway: GatewayProcess;
beforeAll(async () => {
  gateway = await startGatewayProcess();
});
afterAll(() => gateway?.stop());

function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [PROGRAM, ...argv], { timeout: 110_000 }, (error, out, err) =>
      resolve({ code: error ? Number(error.code) : 0, out, err }),
    );
  });
}

it.each([
  ['over the WebSocket', []],
  ['with an API key', ['--api-key', 'dev']],
])('proves the promises, publishing %s', async (_, flags) => {
  const { code, out, err } = await run('selftest', gateway.wsUrl, ...flags);
  expect([code, err, out.match(/^\w+/gm)]).toEqual([0, '', [...Array<string>(7).fill('ok'), 'ws']]);
  expect(out).toContain('5 cuts while 500 messages were published: 0 lost, 0 duplicated, 0 reordered');
  expect(out).toContain('all 7 promises were kept');
});

it('proves them where a token is needed and publishes are limited; without the right one it says what to do', async () => {
  const settings = {
    MODE: 'production',
    HOST: '127.0.0.1',
    JWT_SECRET: SECRET,
    API_KEYS: 'a-key-of-a-backend-long-enough',
  };
  const limits = { LIMIT_PUBLISHES_PER_SECOND: '400', LIMIT_PUBLISHES_PER_SECOND_PER_USER: '400' };
  const file = { namespaces: { '': { subscribe: 'token', publish: 'token' } } };
  const strict = await startGatewayProcess({ file, settings: { ...settings, ...limits } });
  onTestFinished(() => strict.stop());
  const tokenFor = (...actions: Action[]) =>
    signToken({ key: SECRET, user: 'u1', expiresInS: 300, grants: { 'selftest-*': actions } });
  const token = await tokenFor('subscribe', 'publish', 'history');
  const proven = await run('selftest', strict.wsUrl, '--token', token);
  expect(proven).toMatchObject({ code: 0, out: expect.stringContaining('all 7 promises were kept') });
  for (const [flags, told] of [
    [[], /connect .*give a token; see token \(--token\).*\n\n.*nothing could be tried/],
    [
      ['--token', await tokenFor('subscribe')],
      /order .*the token \(--token\) has to allow subscribe, publish and history/,
    ],
    [['--token', token, '--channel', 'other-'], /order .*on other-\*/],
    [['--token', token, '--api-key', 'wrong'], /order .*see apiKey \(--api-key\)/],
  ] as const) {
    const { code, out } = await run('selftest', strict.wsUrl, ...flags);
    expect([code, out]).toEqual([1, expect.stringMatching(told)]);
  }
});

it('says what was not kept: no log, no gateway, a key that is none', async () => {
  const live = await run('selftest', gateway.wsUrl, '--channel', 'live:');
  expect([live.code, live.out]).toEqual([1, expect.stringMatching(/FAILED +order +live:\S+ is live/)]);
  const nobody = await run('selftest', 'ws://127.0.0.1:9');
  expect([nobody.code, nobody.out]).toEqual([1, expect.stringMatching(/^FAILED +connect .*the address of a gateway/)]);
  const key = await run('selftest', gateway.wsUrl, '--api-key', 'wrong');
  expect([key.code, key.out]).toEqual([1, expect.stringMatching(/FAILED +order/)]);
});

it('is told apart from being used wrongly', async () => {
  for (const argv of [[], ['selftest'], ['selftest', 'no url at all'], ['selftest', gateway.wsUrl, '--timeout', 'x']]) {
    const { code, err } = await run(...argv);
    expect([argv, code, err]).toEqual([argv, 2, expect.stringContaining('Usage')]);
  }
  expect(await run('--help')).toMatchObject({ code: 0, err: '' });
});
