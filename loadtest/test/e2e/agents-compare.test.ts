import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { startGatewayProcess } from '../../../gateway/test/support/gateway-process.js';
import { fanfareLoad, measured } from '../support/fanfare-load.js';

const PROGRAM = fileURLToPath(new URL('../../bin/fanfare-load.mjs', import.meta.url));

async function startAgent(): Promise<{ readonly address: string; stop(): Promise<unknown> }> {
  const child = spawn(process.execPath, [PROGRAM, 'agent', '--listen', '127.0.0.1:0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const stop = () => {
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    return gone;
  };
  return { address: /listening on (\S+)/.exec(line.toString())?.[1] ?? '', stop };
}

it('two agents share a run; the offsets of their clocks are stated; one that dies fails it', {
  timeout: 120_000,
}, async () => {
  const gateway = await startGatewayProcess();
  const agents = await Promise.all([startAgent(), startAgent()]);
  const addresses = agents.map(({ address }) => address).join(',');
  const flags = [
    'run',
    'rooms',
    '--url',
    gateway.wsUrl,
    '--agents',
    addresses,
    '--allow-limited',
    '--connections',
    '40',
  ];
  try {
    const { status, stdout, result } = await measured([...flags, '--duration', '2s']);
    expect(status, stdout).toBe(0);
    expect(result?.audit).toMatchObject({ lost: 0, duplicated: 0, reordered: 0, corrupted: 0, misplaced: 0, holes: 0 });
    expect(result?.generator.hosts.map(({ host }) => host)).toEqual(agents.map(({ address }) => address));
    // On one machine there is one clock: whatever is estimated lies within its own error.
    for (const { offsetUs, errorUs } of result?.generator.hosts ?? [])
      expect(Math.abs(offsetUs)).toBeLessThanOrEqual(errorUs);
    expect(stdout).toContain(`clock of ${agents[0].address}`);
    const dying = fanfareLoad([...flags, '--duration', '10m'], / running +40 connections/, () => agents[1].stop());
    expect(await dying).toMatchObject({
      status: 1,
      stderr: expect.stringContaining(`agent ${agents[1].address} is gone`),
    });
  } finally {
    await agents[0].stop();
    await gateway.stop();
  }
});

it('says so where no agent listens', async () => {
  const { status, stderr } = await fanfareLoad(['run', 'fanout', '--local', 'memory', '--agents', '127.0.0.1:9']);
  expect(status).toBe(1);
  expect(stderr).toContain('no agent at 127.0.0.1:9');
});

it('compare counts every delivery of each server, and prints the method with the table', {
  timeout: 120_000,
}, async () => {
  const flags = [
    '--with',
    'fanfare,bare-uws,ws',
    '--rounds',
    '1',
    '--duration',
    '500ms',
    '--subscribers',
    '20',
    '--burst',
    '4',
  ];
  const { status, stdout } = await fanfareLoad(['compare', ...flags]);
  expect(status, stdout).toBe(0);
  expect(stdout).toContain('20 subscribers of one channel');
  for (const name of ['Fanfare', 'bare uWS', 'ws'])
    expect(stdout).toMatch(new RegExp(`^  ${name} +[\\d.]+ ?k?M?/s +[\\d.]+`, 'm'));
});

it('compare --in-flight publishes one by one, and counts every delivery of each server', {
  timeout: 120_000,
}, async () => {
  const flags = ['--with', 'fanfare,bare-uws,ws', '--in-flight', '1,8', '--rounds', '1', '--duration', '100ms'];
  const { status, stdout } = await fanfareLoad(['compare', ...flags, '--subscribers', '25']);
  expect(status, stdout).toBe(0);
  expect(stdout).toContain('25 subscribers of one channel');
  for (const heading of ['1 in flight', '8 in flight']) expect(stdout).toContain(heading);
  for (const name of ['Fanfare', 'bare uWS', 'ws'])
    expect(stdout.match(new RegExp(`^  ${name} +[\\d.]+ ?k?M?/s +[\\d.]+`, 'gm'))).toHaveLength(2);
});

it('compare --in-flight refuses a server that runs elsewhere', async () => {
  const { status, stderr } = await fanfareLoad(['compare', '--in-flight', '8', '--url', 'ws://127.0.0.1:9/ws']);
  expect(status).toBe(2);
  expect(stderr).toContain('--in-flight');
});
