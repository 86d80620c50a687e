import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GatewayProcess, startGatewayProcess } from '../../../gateway/test/support/gateway-process.js';
import type { RunResult } from '../../src/report/result.js';
import { type BareServer, startBareServer } from '../support/bare-server.js';
import { fanfareLoad } from '../support/fanfare-load.js';

const folder = mkdtempSync(path.join(tmpdir(), 'fanfare-run-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs a scenario to a clean audit, however busy this machine is. */
async function run(url: string, scenario: string, ...flags: string[]): Promise<RunResult> {
  const json = path.join(folder, `${Math.random()}.json`);
  const target = path.join(folder, `${Math.random()}.yaml`);
  writeFileSync(target, scenario);
  const outcome = await fanfareLoad([
    'run',
    target,
    '--url',
    url,
    '--json',
    json,
    '--allow-limited',
    '--quiet',
    ...flags,
  ]);
  expect(outcome, outcome.stdout + outcome.stderr).toMatchObject({ status: 0, stderr: '' });
  return JSON.parse(readFileSync(json, 'utf8')) as RunResult;
}

const NOTHING = { lost: 0, duplicated: 0, reordered: 0, corrupted: 0, misplaced: 0, holes: 0, resets: 0, missed: 0 };

describe('on a gateway', () => {
  let gateway: GatewayProcess;
  beforeAll(async () => {
    gateway = await startGatewayProcess();
  });
  afterAll(() => gateway?.stop());

  it('every subscriber has every message: by HTTP, batch and WebSocket, in all dialects, live and durable', async () => {
    const { totals, audit, connections } = await run(
      gateway.wsUrl,
      `name: x
stages: [{ duration: 0, publish: false }, { duration: 1500ms }]
groups:
  one: { connections: 40, publish: { rate: 100, size: 64 } }
  each: { connections: 20, channels: own, publish: { by: http, rate: 100, size: 128 } }
  rooms: { connections: 20, channels: 10, dialect: msgpack, publish: { by: http-batch, rate: 200, size: 300 } }
  live: { connections: 20, channels: 4, durable: false, publish: { rate: 100, size: { min: 64, max: 3000 } } }
  json: { connections: 10, channels: 2, dialect: json, publish: { rate: 50 } }
  jsonSdk: { connections: 10, channels: 2, client: sdk, dialect: json, publish: { rate: 50 } }
  sdk: { connections: 20, channels: 4, client: sdk, publish: { by: http, sure: true, rate: 50 } }
  several: { connections: 20, channels: 20, channelsPerConnection: 4, dialect: msgpack, publish: { rate: 100 } }
  closed: { connections: 10, publish: { inFlight: 3, size: 64 } }
`,
    );
    expect(audit).toMatchObject(NOTHING);
    // And the witness of the closed model.
    expect(connections.peak).toBe(171);
    expect(totals.acknowledged).toBe(totals.published);
    expect(totals.received).toBeGreaterThan(40 * 100);
    expect(audit.verified).toBeGreaterThan(100);
  });

  it('each dialect is on the wire as asked, and compact, which the SDK takes by itself, unless asked', async () => {
    const bytesPerDelivery = async (client: string, dialect: string) => {
      const group = `{ connections: 10, client: ${client}, ${dialect} publish: { rate: 50, size: 64 } }`;
      const stages = '[{ duration: 0, publish: false }, { duration: 1s }]';
      const { totals } = await run(gateway.wsUrl, `name: x\nstages: ${stages}\ngroups:\n  g: ${group}\n`);
      return totals.bytes / totals.received;
    };
    const [byDefault, compact, json] = [
      await bytesPerDelivery('raw', ''),
      await bytesPerDelivery('raw', 'dialect: compact,'),
      await bytesPerDelivery('raw', 'dialect: json,'),
    ];
    // The names of five fields, and their quotes: the rest is the same.
    expect(json - compact).toBeGreaterThan(40);
    expect(Math.abs(compact - byDefault)).toBeLessThan(20);
  });

  it('a storm, churn and slow readers leave nothing behind', async () => {
    const { audit, errors, marks } = await run(
      gateway.wsUrl,
      `name: x
stages: [{ duration: 1s }, { duration: 3s }, { duration: 1s, load: 0.3 }]
groups:
  storm: { connections: 60, publish: { rate: 50 }, storm: { at: 0.3 } }
  churn: { connections: 30, channels: 5, publish: { rate: 50 }, churn: { perSecond: 0.5 } }
  slow: { connections: 20, publish: { rate: 20, size: 2000 }, slow: { share: 0.3, stall: 500ms, every: 800ms } }
`,
    );
    expect(audit).toMatchObject(NOTHING);
    expect(errors['reconnected after 1006']).toBeGreaterThan(0);
    expect(marks.map(({ text }) => text).join()).toContain('all back after');
  });

  it('writes JSON, HTML and Prometheus series; thresholds decide the exit code', async () => {
    const at = (name: string) => path.join(folder, name);
    const files = ['--json', at('a.json'), '--html', at('a.html'), '--prometheus', at('a.prom')];
    const flags = ['--url', gateway.wsUrl, '--duration', '2s', '--connections', '20', '--seed', '7', '--allow-limited'];
    const outcome = await fanfareLoad([
      'run',
      'fanout',
      ...flags,
      ...files,
      '--threshold',
      'lost==0',
      '--threshold',
      'received<1',
    ]);
    expect(outcome.status).toBe(1);
    expect(outcome.stdout).toMatch(/✓ lost==0/);
    expect(outcome.stdout).toMatch(/✗ received<1/);
    expect(outcome.stdout).toContain('FAILED');
    const result = JSON.parse(readFileSync(at('a.json'), 'utf8')) as RunResult;
    expect(result).toMatchObject({ seed: 7, passed: false, scenario: 'fanout' });
    const html = readFileSync(at('a.html'), 'utf8');
    expect(html.match(/<svg/g)).toHaveLength(7);
    expect(html).not.toMatch(/<script|src=|href=/);
    expect(readFileSync(at('a.prom'), 'utf8')).toMatch(/^fanfare_load_connections\{.*\} 20 \d+\.\d+$/m);
  });

  it('Ctrl-C ends with the summary so far', async () => {
    const outcome = await fanfareLoad(
      ['run', 'fanout', '--url', gateway.wsUrl, '--duration', '10m', '--connections', '10', '--allow-limited'],
      / running +10 connections/,
    );
    expect(outcome.status).toBe(0);
    expect(outcome.stdout).toContain('ended early');
    expect(outcome.stdout).toContain('10 of 10');
  });

  it('a run that asks more of its generator than it can do says so, and fails', async () => {
    // A million deliveries a second, each decoded, and all of them published by the same process.
    const group = '{ connections: 200, client: sdk, dialect: msgpack, publish: { rate: 5000, size: 64 } }';
    const scenario = path.join(folder, 'heavy.yaml');
    writeFileSync(
      scenario,
      `name: x\nstages: [{ duration: 0, publish: false }, { duration: 4s }]\ngroups:\n  a: ${group}\n`,
    );
    const outcome = await fanfareLoad(['run', scenario, '--url', gateway.wsUrl, '--processes', '1', '--quiet']);
    expect(outcome.stdout).toContain('LIMITED BY THE GENERATOR: a generator process could not keep up');
    expect(outcome.status).toBe(1);
  });

  it('a scenario that the gateway refuses fails, and says what was told', async () => {
    const flags = ['--url', gateway.wsUrl, '--api-key', 'wrong', '--duration', '1s', '--connections', '5', '--quiet'];
    const scenario = path.join(folder, 'refused.yaml');
    writeFileSync(scenario, 'name: x\ngroups:\n  a: { connections: 5, publish: { by: http, rate: 20 } }\n');
    const outcome = await fanfareLoad([
      'run',
      scenario,
      ...flags.filter((flag) => !/connections|^5$/.test(flag)),
      '--threshold',
      'published>0',
      '--threshold',
      'received>0',
    ]);
    expect(outcome.status).toBe(1);
    expect(outcome.stdout).toMatch(/x publish: unauthorized/);
  });
});

describe('beside an independent measure', () => {
  let server: BareServer;
  beforeAll(async () => {
    server = await startBareServer();
  });
  afterAll(() => server?.close());

  const scenario = (publish: string, seconds = 1) =>
    `name: x\nstages: [{ duration: 0, publish: false }, { duration: ${seconds}s }]\ngroups:\n  a: { connections: 20, channels: 2, ${publish} }\n`;

  it('counts what the server counted, in the open and in the closed model', async () => {
    for (const publish of ['publish: { rate: 100 }', 'publish: { inFlight: 4, size: 64 }']) {
      server.reset();
      const { totals } = await run(server.url, scenario(publish));
      expect({ ...totals, bytes: 0, presence: 0 }).toEqual({
        published: server.published,
        acknowledged: server.published,
        received: server.delivered,
        bytes: 0,
        presence: 0,
      });
    }
  });

  it('a delay of 20 ms shows as 20 ms', async () => {
    const latencyOf = async (delayMs: number) => {
      server.reset();
      server.delayMs = delayMs;
      return (await run(server.url, scenario('publish: { rate: 50 }'))).latency;
    };
    const without = await latencyOf(0);
    const delayed = await latencyOf(20);
    // A busy machine adds to most of the deliveries, but not to all of a thousand: the fastest tell what the server did.
    expect(delayed?.min).toBeGreaterThanOrEqual(20);
    expect(without?.min).toBeLessThan(20);
    if (process.env.FANFARE_TEST_LOAD !== 'long') return;
    // On a quiet machine nothing else is added, nor to the medians.
    for (const of of ['min', 'p50'] as const) {
      const difference = (delayed?.[of] ?? Number.NaN) - (without?.[of] ?? Number.NaN);
      expect(difference).toBeGreaterThan(18);
      expect(difference).toBeLessThan(24);
    }
  });

  it('a server that stands still for 2 s shows in p99.9, because the schedule goes on', async () => {
    server.reset();
    server.stallOnceMs = 2_000;
    const { latency, totals } = await run(server.url, scenario('publish: { rate: 50 }', 3));
    expect(totals.published).toBeGreaterThan(120);
    expect(latency?.p999).toBeGreaterThan(1_800);
    // Two thirds of the messages were due while it stood still: a closed model would show one.
    expect(latency?.p50).toBeGreaterThan(100);
  });

  it.each([
    ['lost', 'never came'],
    ['duplicated', 'message'],
    ['reordered', 'message'],
    ['corrupted', 'checksum'],
  ] as const)('a server that makes one message %s is caught, and the message is named', async (fault, detail) => {
    server.reset();
    server.fault = fault;
    const json = path.join(folder, 'fault.json');
    const target = path.join(folder, 'fault.yaml');
    writeFileSync(target, scenario('publish: { rate: 100 }'));
    const outcome = await fanfareLoad([
      'run',
      target,
      '--url',
      server.url,
      '--json',
      json,
      '--allow-limited',
      '--quiet',
    ]);
    server.fault = undefined;
    expect(outcome.status).toBe(1);
    const { audit, offenders } = JSON.parse(readFileSync(json, 'utf8')) as RunResult;
    expect(audit[fault]).toBe(1);
    const first = offenders.find(({ what }) => what === fault);
    expect(first?.detail).toContain(detail);
    expect(first?.channel).toMatch(/^demo:load-/);
    expect(outcome.stdout).toContain(`first ${fault}:`);
  });
});

it('refuses wrong commands and flags, and says which', async () => {
  const wrong: [string[], string][] = [
    [['run'], 'takes one scenario'],
    [['run', 'fanout', '--threshold', 'speed<1'], 'knows no speed'],
    [['run', 'fanout', '--duration', 'long'], '--duration takes a time'],
    [['run', 'fanout', '--url', 'tcp://x'], '--url takes ws://'],
    [['run', 'fanout', '--fast'], '--fast'],
    [['run', 'fanuot'], 'no scenario fanuot'],
    [['fly'], 'unknown command'],
  ];
  await Promise.all(
    wrong.map(async ([args, message]) => {
      const { status, stderr } = await fanfareLoad(args);
      expect(stderr).toContain(message);
      expect(status).toBe(2);
    }),
  );
});

it('says what to do where no gateway answers', async () => {
  const { status, stderr } = await fanfareLoad(['run', 'fanout', '--url', 'ws://127.0.0.1:9/ws']);
  expect(status).toBe(1);
  expect(stderr).toContain('npm start');
});
