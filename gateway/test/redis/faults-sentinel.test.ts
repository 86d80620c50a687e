import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { ledgerOf, printLedgers } from '../faults/harness.js';
import { CLEAN, HONEST } from '../faults/ledger.js';
import { isMaster, promotion } from '../faults/redis-faults.js';
import { World } from '../faults/world.js';
import { type RedisNode, type SentinelServers, startSentinel, until } from '../support/redis-servers.js';

const TIMEOUT_MS = 180_000;
/** As docs/REDIS.md advises: a deposed master that does not know it yet refuses writes. */
const CONFIG = { 'min-replicas-to-write': '1', 'min-replicas-max-lag': '2' };

let world: World<SentinelServers>;

beforeAll(async () => {
  world = await World.start(await startSentinel({ replicas: 2, appendonly: true, config: CONFIG }));
}, TIMEOUT_MS);
afterEach(async () => {
  await world.mend();
  await until('one master, the others in sync', isWhole, 60_000);
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
    await until('the sentinels name another', async () => (await world.servers.master()) !== master, 30_000);
    run.note(`live ${await run.live()} ms after the promotion`);
    if (!fault.includes('resumed')) return;
    master.resume();
    await until('demoted', async () => !(await isMaster(master)), 30_000);
    run.note(`live ${await run.live()} ms after it was demoted`);
  });
  expect(ledger).toMatchObject(HONEST);
  if (ledger.lostByLog === 0) expect(ledger.resets).toEqual({});
});

it('a planned failover', { timeout: TIMEOUT_MS }, async () => {
  const ledger = await ledgerOf(world, 'SENTINEL FAILOVER', async (run) => {
    const master = await world.servers.master();
    await world.servers.sentinels[0]?.client.call('SENTINEL', 'FAILOVER', world.servers.masterName);
    await until('the sentinels name another', async () => (await world.servers.master()) !== master, 30_000);
    run.note(`live ${await run.live()} ms after the promotion`);
  });
  expect(ledger).toMatchObject(HONEST);
  if (ledger.lostByLog === 0) expect(ledger).toMatchObject(CLEAN);
});
