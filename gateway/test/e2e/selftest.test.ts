/** `npx @fanfare/client selftest`, on a gateway that keeps its promises, on what cannot, and on nothing. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';

const PROGRAM = fileURLToPath(new URL('../../../client-sdk/bin/fanfare-client.mjs', import.meta.url));

let gateway: GatewayProcess;
beforeAll(async () => {
  gateway = await startGatewayProcess();
});
afterAll(() => gateway?.stop());

function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [PROGRAM, ...argv], { timeout: 50_000 }, (error, out, err) =>
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

it('says what was not kept: no log, no gateway, a key that is none', async () => {
  const live = await run('selftest', gateway.wsUrl, '--channel', 'live:');
  expect([live.code, live.out]).toEqual([1, expect.stringMatching(/FAILED +order +live:\S+ is live/)]);
  const nobody = await run('selftest', 'ws://127.0.0.1:9');
  expect([nobody.code, nobody.out]).toEqual([1, expect.stringMatching(/^FAILED +connect/)]);
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
