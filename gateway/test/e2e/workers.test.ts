/** Several gateway processes on one port, over a real Redis. */
import { spawn } from 'node:child_process';
import cluster from 'node:cluster';
import { once } from 'node:events';
import { get } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Client, createClient, type StateChange } from '@fanfare/client';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { createLogger } from '../../src/observability/logger.js';
import { startWorkers } from '../../src/workers/primary.js';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';
import { freePort, type StandaloneServers, startRedis } from '../support/redis-servers.js';

const PROGRAM = fileURLToPath(new URL('../../bin/fanfare.mjs', import.meta.url));
const CLIENTS = 40;
const PATIENCE = { timeout: 60_000 };
const anyone = { subscribe: 'anyone', publish: 'anyone' };

let redis: StandaloneServers;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

/** Two workers named `pair-1` and `pair-2`, logging JSON. */
function startPair(transport: string, port = 0, settings: Record<string, string> = {}): Promise<GatewayProcess> {
  return startGatewayProcess({
    port,
    settings: {
      WORKERS: '2',
      TRANSPORT: transport,
      REDIS_URL: redis.url,
      NODE: 'pair',
      MODE: 'production',
      // More than the files that a process may have open are worth a warning.
      LIMIT_CONNECTIONS: '500',
      HOST: '127.0.0.1',
      API_KEYS: 'key',
      LIMIT_PUBLISHES_PER_SECOND: '0',
      ...settings,
    },
    file: { namespaces: { demo: { ...anyone, history: { size: 10_000 } } } },
  });
}

interface LogLine {
  readonly node: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

function logOf(gateway: GatewayProcess): LogLine[] {
  // What stands behind the last line break is not whole yet.
  const lines = gateway.output().split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as LogLine);
}

/** Asked over a new connection each time, so that any worker may answer. */
async function metricsOf(gateway: Pick<GatewayProcess, 'httpUrl'>): Promise<string> {
  const request = get(`${gateway.httpUrl}/metrics`, { agent: false });
  const [response] = (await once(request, 'response')) as [AsyncIterable<Buffer> & { statusCode: number }];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  expect(response.statusCode).toBe(200);
  return Buffer.concat(chunks).toString();
}

/** The samples of a metric: labels and value. */
function samples(text: string, name: string): { labels: Record<string, string>; value: number }[] {
  return [...text.matchAll(new RegExp(`^${name}{([^}]*)} (\\S+)$`, 'gm'))].map(([, labels = '', value]) => ({
    labels: Object.fromEntries([...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, label, text]) => [label, text])),
    value: Number(value),
  }));
}

async function workerPids(gateway: GatewayProcess): Promise<number[]> {
  return samples(await metricsOf(gateway), 'fanfare_worker_connections').map(({ labels }) => Number(labels.pid));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function connect(gateway: GatewayProcess): { client: Client; states: StateChange[] } {
  const client = createClient({ url: gateway.wsUrl, backoff: { baseMs: 100, maxMs: 1_000 } });
  onTestFinished(() => client.close());
  const states: StateChange[] = [];
  client.on('state', (change) => states.push(change));
  return { client, states };
}

async function connectMany(gateway: GatewayProcess) {
  const all = Array.from({ length: CLIENTS }, () => connect(gateway));
  for (const { client } of all) client.connect();
  await Promise.all(all.map(({ client }) => client.ready()));
  return all;
}

/** Each was told to go elsewhere, which it may hear when its gateway is gone already. */
async function sentAway(all: readonly { readonly states: readonly StateChange[] }[]): Promise<void> {
  for (const { states } of all) {
    await expect.poll(() => states.find(({ state }) => state === 'waiting')).toMatchObject({ code: 4000 });
  }
}

describe.each(['uws', 'ws'])('two workers on %s', (transport) => {
  it('both serve, tell themselves apart, add up their metrics, and end together', async () => {
    const gateway = await startPair(transport);
    onTestFinished(() => gateway.stop());
    const all = await connectMany(gateway);
    const served = (node: string) => all.filter(({ client }) => client.session?.node === node).length;
    expect(served('pair-1')).toBeGreaterThan(0);
    expect(served('pair-2')).toBeGreaterThan(0);
    expect(served('pair-1') + served('pair-2')).toBe(CLIENTS);

    const listening = logOf(gateway).filter(({ msg }) => msg === 'listening');
    expect(listening.map(({ node }) => node).sort()).toEqual(['pair', 'pair-1', 'pair-2']);
    for (const line of listening) expect(line.url).toContain(`:${gateway.port}`);

    for (let asked = 0; asked < 8; asked++) {
      const text = await metricsOf(gateway);
      expect(samples(text, 'fanfare_connections')).toEqual([{ labels: { node: 'pair' }, value: CLIENTS }]);
      const perWorker = samples(text, 'fanfare_worker_connections').map(({ labels, value }) => [labels.worker, value]);
      expect(perWorker.sort()).toEqual([
        ['1', served('pair-1')],
        ['2', served('pair-2')],
      ]);
      expect(samples(text, 'fanfare_broker_events_total')).toContainEqual({
        labels: { event: 'connects', node: 'pair' },
        value: 2,
      });
      expect(samples(text, 'fanfare_info').map(({ value }) => value)).toEqual([1]);
      expect(samples(text, 'fanfare_broker_shard_ok').map(({ value }) => value)).toEqual([1]);
      expect(samples(text, 'fanfare_workers_missing')).toEqual([{ labels: { node: 'pair' }, value: 0 }]);
    }

    const authorization = 'Bearer key';
    const nodes = async () => (await fetch(`${gateway.httpUrl}/v1/nodes`, { headers: { authorization } })).json();
    await expect.poll(nodes).toMatchObject({
      nodes: ['pair-1', 'pair-2'].map((node) => ({ node, connections: served(node) })),
    });

    // As a process group gets it: all at once, and some of it twice.
    const pids = await workerPids(gateway);
    expect(pids.filter(isAlive)).toHaveLength(2);
    await gateway.signal('SIGTERM');
    for (const pid of [...pids, ...pids]) process.kill(pid, 'SIGTERM');
    expect(await gateway.exited).toEqual([0, null]);
    expect(pids.filter(isAlive)).toEqual([]);
    await sentAway(all);
    const stopped = logOf(gateway).filter(({ msg }) => msg === 'stopped');
    expect(stopped.map(({ node }) => node).sort()).toEqual(['pair', 'pair-1', 'pair-2']);
    expect(stopped.at(-1)?.node).toBe('pair');
    // But for what is said at the start of a configuration as open as this test's.
    const complaints = logOf(gateway).filter(({ level }) => level === 'warn' || level === 'error');
    expect(complaints.filter(({ msg }) => !/it can be guessed|^anyone may/.test(String(msg)))).toEqual([]);
  });

  it('one that is killed is replaced, and its clients miss nothing', async () => {
    const gateway = await startPair(transport);
    onTestFinished(() => gateway.stop());
    const all = await connectMany(gateway);
    const channel = `demo:workers-${transport}`;
    const received = all.map(({ client }) => {
      const numbers: number[] = [];
      const subscription = client.channel<number>(channel).subscribe(({ data }) => numbers.push(data));
      return { numbers, subscription };
    });
    await Promise.all(received.map(({ subscription }) => subscription.ready()));
    const publisher = connect(gateway).client;
    await publisher.connect();
    let published = 0;
    let isOver = false;
    const publishing = (async () => {
      while (!isOver) {
        await publisher.channel<number>(channel).publish(published + 1);
        published++;
        await sleep(5);
      }
    })();
    const orphans = all.filter(({ client }) => client.session?.node === 'pair-1');
    const [victim] = samples(await metricsOf(gateway), 'fanfare_worker_connections').filter(
      ({ labels }) => labels.worker === '1',
    );
    const pid = Number(victim?.labels.pid);
    await expect.poll(() => published, PATIENCE).toBeGreaterThan(20);
    process.kill(pid, 'SIGKILL');
    await expect.poll(() => logOf(gateway).filter(({ msg }) => msg === 'listening').length, PATIENCE).toBe(4);
    await expect.poll(() => all.every(({ client }) => client.state === 'connected'), PATIENCE).toBe(true);
    const upTo = published + 20;
    await expect.poll(() => published, PATIENCE).toBeGreaterThan(upTo);
    isOver = true;
    await publishing;

    const expected = Array.from({ length: published }, (_, i) => i + 1);
    for (const { numbers } of received) {
      await expect.poll(() => numbers.length, PATIENCE).toBeGreaterThanOrEqual(published);
      expect(numbers).toEqual(expected);
    }
    for (const { client } of all) expect(client.stats).toMatchObject({ gaps: 0, resets: 0, duplicatesDropped: 0 });
    for (const { client } of orphans) expect(client.stats.reconnects).toBeGreaterThan(0);
    expect(logOf(gateway).filter(({ msg }) => msg === 'worker died, replacing it')).toMatchObject([
      { level: 'error', node: 'pair', worker: 1, pid, signal: 'SIGKILL' },
    ]);
    const connections = async () => samples(await metricsOf(gateway), 'fanfare_connections')[0]?.value;
    await expect.poll(connections).toBe(CLIENTS + 1);
    const text = await metricsOf(gateway);
    const pids = samples(text, 'fanfare_worker_connections').map(({ labels }) => Number(labels.pid));
    expect(pids).toHaveLength(2);
    expect(pids).not.toContain(pid);
  });

  it('answer a publish that waits for Redis before they end', async () => {
    const gateway = await startPair(transport);
    onTestFinished(() => gateway.stop());
    await redis.node.client.call('CLIENT', 'PAUSE', '1000', 'WRITE');
    const published = gateway.publish({ channel: 'demo:last', data: transport });
    await sleep(200);
    await gateway.signal('SIGTERM');
    expect(await published).toMatchObject({ status: 200, body: { channel: 'demo:last' } });
    expect(await gateway.exited).toEqual([0, null]);
  });

  it('take no port that is taken, and leave theirs when the primary is killed', async () => {
    const other = createServer().listen(await freePort(), '127.0.0.1');
    await once(other, 'listening');
    onTestFinished(() => void other.close());
    const gateway = await startPair(transport);
    onTestFinished(() => gateway.stop());
    for (const port of [(other.address() as AddressInfo).port, gateway.port]) {
      await expect(startPair(transport, port)).rejects.toThrow(
        new RegExp(`^the gateway ended:\\nfanfare serve: port ${port} on 127\\.0\\.0\\.1 is taken\\n$`),
      );
    }

    const all = await connectMany(gateway);
    const pids = await workerPids(gateway);
    expect(pids.filter(isAlive)).toHaveLength(2);
    await gateway.signal('SIGKILL');
    await expect.poll(() => pids.filter(isAlive), PATIENCE).toEqual([]);
    await sentAway(all);
    const heir = createServer().listen(gateway.port, '127.0.0.1');
    await once(heir, 'listening');
    heir.close();
  });
});

it('one that dies while Redis is down is replaced once Redis is back, and the others stay', async () => {
  const own = await startRedis();
  onTestFinished(() => own.stop());
  const gateway = await startPair('uws', 0, { REDIS_URL: own.url });
  onTestFinished(() => gateway.stop());
  const all = await connectMany(gateway);
  const survivors = all.filter(({ client }) => client.session?.node === 'pair-2');
  const [pid] = samples(await metricsOf(gateway), 'fanfare_worker_connections')
    .filter(({ labels }) => labels.worker === '1')
    .map(({ labels }) => Number(labels.pid));
  await own.node.kill9();
  process.kill(pid as number, 'SIGKILL');
  // Its successor waits, and is left in peace.
  await expect.poll(() => logOf(gateway).map(({ msg }) => msg), PATIENCE).toContain('waiting for Redis');
  expect(logOf(gateway).filter(({ msg }) => msg === 'worker died, replacing it')).toHaveLength(1);
  await own.node.restart();
  await expect.poll(async () => (await workerPids(gateway)).length, PATIENCE).toBe(2);
  for (const { client } of survivors) expect(client.stats.reconnects).toBe(0);
});

it.each(['SIGKILL', 'SIGTERM'] as const)(
  'end in order when their primary gets %s before they listen',
  async (signal) => {
    const redisUrl = `redis://127.0.0.1:${await freePort()}`;
    const primary = spawn(process.execPath, [
      PROGRAM,
      'serve',
      '--workers',
      '2',
      '--port',
      '0',
      '--redis-url',
      redisUrl,
    ]);
    let output = '';
    for (const stream of [primary.stdout, primary.stderr]) stream.on('data', (chunk) => (output += chunk));
    await expect.poll(() => output, PATIENCE).toContain('redis');
    primary.kill(signal);
    // Once nobody holds the ends of its pipes any more, workers included.
    expect(await once(primary, 'close')).toEqual(signal === 'SIGTERM' ? [0, null] : [null, signal]);
    expect(output).toMatch(/stopped while starting/);
    expect(output).not.toMatch(/EPIPE|Error:/);
  },
);

it('are refused a name that has no room for their number, with one line', async () => {
  await expect(startPair('uws', 0, { NODE: 'n'.repeat(63) })).rejects.toThrow(
    /problem\(s\)\n {2}node: must not be longer than 62 characters with 2 workers, which add their number\n$/,
  );
});

/** The primary in this process, where it can be given less time. */
function startWorkersHere(exec: string, args: string[], timings: { startMs?: number; silenceMs?: number }) {
  const lines: string[] = [];
  const logger = createLogger({
    level: 'info',
    format: 'json',
    node: 'here',
    destination: { write: (line) => lines.push(line) },
  });
  cluster.setupPrimary({ exec, args, execArgv: [], silent: true });
  const workers = startWorkers({
    ...{ count: 2, node: 'here', host: '127.0.0.1', port: 0, logger, clock: systemClock, stopTimeoutMs: 10_000 },
    timings,
  });
  return { workers, lines };
}

it('one that hangs is missed by the metrics, then killed and replaced', async () => {
  const args = ['serve', '--workers', '2', '--redis-url', redis.url, '--transport', 'ws'];
  const { workers, lines } = startWorkersHere(PROGRAM, args, { silenceMs: 5_000 });
  const { port, stop } = await workers;
  onTestFinished(stop);
  const gateway = { httpUrl: `http://127.0.0.1:${port}` };
  const missing = async () => samples(await metricsOf(gateway), 'fanfare_workers_missing')[0]?.value;
  await expect.poll(missing, PATIENCE).toBe(0);
  const [hung] = samples(await metricsOf(gateway), 'fanfare_worker_connections').map(({ labels }) =>
    Number(labels.pid),
  );
  process.kill(hung as number, 'SIGSTOP');
  // Those that the hung one is given wait for it.
  await expect.poll(() => Promise.race([missing(), missing()]), PATIENCE).toBe(1);
  await expect.poll(() => lines.join(''), PATIENCE).toMatch(new RegExp(`"pid":${hung},.*"signal":"SIGKILL"`));
  await expect.poll(missing, PATIENCE).toBe(0);
});

it('one that never listens does not hold up the start for ever', async () => {
  const idle = fileURLToPath(new URL('../faults/stall.mjs', import.meta.url));
  const { workers } = startWorkersHere(idle, [], { startMs: 500 });
  await expect(workers).rejects.toThrow('worker 1 does not start (SIGKILL)');
});
