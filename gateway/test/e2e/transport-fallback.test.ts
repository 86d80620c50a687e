/** Where uWebSockets.js does not load: another libc, another Node, the optional dependency left out. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@fanfare/client';
import { expect, it, onTestFinished } from 'vitest';
import { startGatewayProcess } from '../support/gateway-process.js';

/** Loading the addon fails as it does with a glibc that is too old. */
const WITHOUT_ADDON = `
const Module = require('node:module');
const load = Module._load;
Module._load = function (name, ...rest) {
  if (name === 'uWebSockets.js') throw new Error("GLIBC_2.38 not found (required by uws.node)\\nRequire stack:\\n- x");
  return load.call(this, name, ...rest);
};`;

async function withoutAddon(): Promise<Record<string, string>> {
  const folder = await mkdtemp(join(tmpdir(), 'fanfare-no-uws-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const hook = join(folder, 'without-uws.cjs');
  await writeFile(hook, WITHOUT_ADDON);
  return { NODE_OPTIONS: `--require ${hook}` };
}

it('the gateway takes ws, says so in one line, and works', async () => {
  const gateway = await startGatewayProcess({ env: await withoutAddon() });
  onTestFinished(() => gateway.stop());
  const lines = gateway.output().split('\n');
  expect(lines.filter((line) => /uWebSockets|uws/i.test(line))).toEqual([
    expect.stringMatching(
      /warn +uWebSockets\.js does not load here, using the slower ws transport reason=GLIBC_2\.38 not found \(required by uws\.node\)$/,
    ),
  ]);
  expect(gateway.output()).toMatch(/listening .*transport=ws/);

  const client = createClient({ url: gateway.wsUrl });
  onTestFinished(() => client.close());
  const received: unknown[] = [];
  const subscription = client.channel('demo:fallback').subscribe(({ data }) => received.push(data));
  client.connect();
  await client.ready();
  await subscription.ready();
  await gateway.publish({ channel: 'demo:fallback', data: 'over ws' });
  await expect.poll(() => received).toEqual(['over ws']);
});

it('a gateway told to use uWebSockets.js ends with the reason instead', async () => {
  const starting = startGatewayProcess({ settings: { TRANSPORT: 'uws' }, env: await withoutAddon() });
  await expect(starting).rejects.toThrow(
    /^the gateway ended:\nfanfare serve: uWebSockets\.js does not load here: GLIBC_2\.38 not found \(required by uws\.node\)\n$/,
  );
});

it('a gateway told to use ws does not mention it', async () => {
  const gateway = await startGatewayProcess({ settings: { TRANSPORT: 'ws' }, env: await withoutAddon() });
  onTestFinished(() => gateway.stop());
  expect(gateway.output()).not.toMatch(/uWebSockets/);
});
