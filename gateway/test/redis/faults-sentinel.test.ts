import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { ledgerOf, printLedgers, type Run } from '../faults/harness.js';
import { CLEAN, HONEST } from '../faults/ledger.js';
import { isMaster, promotion } from '../faults/redis-faults.js';
import { shardStates, World } from '../faults/world.js';
import type { GatewayProcess } from '../support/gateway-process.js';
import { type RedisNode, type SentinelServers, startSentinel, until } from '../support/redis-servers.js';

const TIMEOUT_MS = 400_000;
/** How long a gateway goes on with the old master. */
const HELD_MS = 2_000;
/** Longer than a planned failover takes until the old master is a replica. */
const PAUSE_MS = 10_000;
/** As docs/REDIS.md advises: a deposed master that does not know it yet refuses writes. */
const CONFIG = { 'min-replicas-to-write': '1', 'min-replicas-max-lag': '2' };

let world: World<SentinelServers>;

beforeAll(async () => {
  world = await World.start(await startSentinel({ replicas: 2, appendonly: true, config: CONFIG }));
}, TIMEOUT_MS);
beforeEach(async () => {
  await world.mend();
  await until('one master, the others in sync', isWhole);
}, TIMEOUT_MS);
afterAll(async () => {
  await world?.stop();
  printLedgers('a master, two replicas and three sentinels, two gateways');
});

async function isWhole(): Promise<boolean> {
  const { nodes } = world.servers;
  const master = await world.servers.master();
  const infos = await Promise.all(nodes.map(({ client }) => client.info('replication')));
  return (
    infos.filter((info) => info.includes('master_link_status:up')).length === nodes.length - 1 &&
    (await isMaster(master))
  );
}

it.each([
  ['is killed', 'sentinel: master kill -9', (node: RedisNode) => node.kill9()],
  [
    'freezes, and is demoted when it thaws',
    'sentinel: master SIGSTOP, later resumed',
    (node: RedisNode) => node.pause(),
  ],
])('the master %s', { timeout: TIMEOUT_MS }, async (_, fault, fail) => {
  const ledger = await ledgerOf(world, fault, async (run) => {
    const master = await world.servers.master();
    const replicas = world.servers.nodes.filter((node) => node !== master);
    await fail(master);
    run.note(`noticed after ${await world.noticed(master)} ms`);
    await promotion(replicas);
    await until('the sentinels name another', async () => (await world.servers.master()) !== master);
    run.note(`live ${await run.live()} ms after the promotion`);
    if (!fault.includes('resumed')) return;
    master.resume();
    await until('demoted', async () => !(await isMaster(master)));
    run.note(`live ${await run.live()} ms after it was demoted`);
  });
  expect(ledger).toMatchObject(HONEST);
  if (ledger.lostByLog === 0) expect(ledger.resets).toEqual({});
});

it('a planned failover, for which Redis does not make writes wait', { timeout: TIMEOUT_MS }, async () => {
  const ledger = await ledgerOf(world, 'SENTINEL FAILOVER', async (run) => {
    run.note(`live ${await failOver(run)} ms after the promotion`);
  });
  expect(ledger).toMatchObject(HONEST);
  if (ledger.lostByLog === 0) expect(ledger).toMatchObject(CLEAN);
});

it('a planned failover while writes are paused loses nothing', { timeout: TIMEOUT_MS }, async () => {
  const ledger = await ledgerOf(world, 'CLIENT PAUSE WRITE, SENTINEL FAILOVER', async (run) => {
    const master = await world.servers.master();
    await master.client.call('CLIENT', 'PAUSE', PAUSE_MS, 'WRITE');
    run.note(`live ${await failOver(run)} ms after the promotion`);
  });
  expect(ledger).toMatchObject(CLEAN);
});

/** Returns how long it took after the promotion until all were live, ms. */
async function failOver(run: Run): Promise<number> {
  await world.servers.failOver();
  return run.live();
}

// The last one: sentinels that stood still do nothing for 30 s afterwards (TILT mode).
it('clients go to a gateway that still sees the old master', { timeout: TIMEOUT_MS }, async () => {
  const ledger = await ledgerOf(world, 'sentinel: moving to a gateway with the old master', async (run) => {
    const [ahead, behind] = world.gateways as [GatewayProcess, GatewayProcess];
    const { sentinels, nodes } = world.servers;
    const master = await world.servers.master();
    await behind.signal('SIGSTOP');
    master.pause();
    await promotion(nodes.filter((node) => node !== master));
    await until('the sentinels name another', async () => (await world.servers.master()) !== master);
    const moving = run.subscribers.filter(({ home }) => home === 0);
    await run.live(Date.now(), moving);
    // Nobody tells the old master, nor the gateway behind, that it was deposed.
    for (const sentinel of sentinels) sentinel.pause();
    master.resume();
    await behind.signal('SIGCONT');
    for (const subscriber of moving) subscriber.move();
    await delay(HELD_MS);
    const name = `127.0.0.1:${master.port}`;
    await until('the other one serves from it', async () => (await shardStates(behind))?.get(name) === 'ok');
    expect((await shardStates(ahead))?.has(name)).toBe(false);
    for (const sentinel of sentinels) sentinel.resume();
    run.note(`${moving.length} clients moved; live ${await run.live()} ms after the sentinels answer again`);
    expect(moving.every(({ home }) => home === 1)).toBe(true);
  });
  expect(ledger).toMatchObject(HONEST);
});
