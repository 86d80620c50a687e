import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ledgerOf, printLedgers, type Run, SCALE } from '../faults/harness.js';
import { CLEAN, HONEST, type Ledger } from '../faults/ledger.js';
import { cutReplication, isMaster, promotion, rejoined } from '../faults/redis-faults.js';
import { slotOf, World } from '../faults/world.js';
import { type ClusterServers, type RedisNode, startCluster, until } from '../support/redis-servers.js';
import { beginMove, moveKeys, tellMoved } from '../support/slot-move.js';

const TIMEOUT_MS = 400_000;
/** Of how fast it is, the long form speaks: the short one runs where everything else does too. */
const BOUND_FACTOR = process.env.FANFARE_TEST_FAULTS === 'long' ? 2 : Number.POSITIVE_INFINITY;

let world: World<ClusterServers>;

beforeAll(async () => {
  world = await World.start(await startCluster({ appendonly: true }));
}, TIMEOUT_MS);
beforeEach(async () => {
  await world.mend();
  await rejoined(world.servers);
}, TIMEOUT_MS);
afterAll(async () => {
  await world?.stop();
  printLedgers('a cluster of three masters and three replicas, two gateways');
});

/** Asynchronous replication may lose the last writes: those who saw them are told, and nobody else. */
function expectHonest(ledger: Ledger): void {
  expect(ledger).toMatchObject(HONEST);
  const { diverged = 0, ...others } = ledger.resets;
  expect(others).toEqual({});
  if (ledger.lostByLog === 0) expect(diverged).toBe(0);
}

/** The master of the first channel, its replica, and the subscribers that it concerns. */
async function target(run: Run) {
  const master = await world.masterOf(run.channels[0] as string);
  const [replica] = (await world.servers.replicasOf(master)) as [RedisNode];
  const owners = await Promise.all(run.channels.map((channel) => world.masterOf(channel)));
  const concerned = run.subscribers.filter(({ channel }) => owners[run.channels.indexOf(channel)] === master);
  return { master, replica, concerned };
}

describe('failover', { timeout: TIMEOUT_MS }, () => {
  it('a master is killed', async () => {
    const ledger = await ledgerOf(world, 'master kill -9', async (run) => {
      const { master, replica, concerned } = await target(run);
      await master.kill9();
      const promotedAt = await promotion([replica]);
      run.note(`live ${await run.live(promotedAt, concerned)} ms after the promotion`);
    });
    expectHonest(ledger);
  });

  it('a planned failover loses nothing', async () => {
    const ledger = await ledgerOf(world, 'CLUSTER FAILOVER', async (run) => {
      const { replica, concerned } = await target(run);
      await world.servers.promote(replica);
      const promotedAt = Date.now();
      run.note(`live ${await run.live(promotedAt, concerned)} ms after the promotion`);
    });
    expect(ledger).toMatchObject(CLEAN);
  });

  it('a master freezes, is replaced, thaws and is demoted', async () => {
    const ledger = await ledgerOf(world, 'master SIGSTOP, later resumed', async (run) => {
      const { master, replica, concerned } = await target(run);
      master.pause();
      const promoted = promotion([replica]);
      const noticedMs = await world.noticed(master);
      run.note(`noticed after ${noticedMs} ms`);
      expect(noticedMs).toBeLessThan(BOUND_FACTOR * 3_000);
      const promotedAt = await promoted;
      const liveMs = await run.live(promotedAt, concerned);
      run.note(`live ${liveMs} ms after the promotion`);
      expect(liveMs).toBeLessThan(BOUND_FACTOR * 1_000);
      master.resume();
      await until('demoted', async () => !(await isMaster(master)));
      await delay(SCALE.calmMs);
      run.note(`live ${await run.live()} ms after it was demoted`);
    });
    expectHonest(ledger);
  });

  it('clients go to a gateway that still sees the old master', async () => {
    const ledger = await ledgerOf(world, 'moving to a gateway with the old master', async (run) => {
      const { master, replica, concerned } = await target(run);
      await world.gateways[1]?.signal('SIGSTOP');
      master.pause();
      const promotedAt = await promotion([replica]);
      const ahead = concerned.filter(({ home }) => home === 0);
      await run.live(promotedAt, ahead);
      await delay(300);
      master.resume();
      await world.gateways[1]?.signal('SIGCONT');
      for (const subscriber of ahead) subscriber.move();
      await run.live(Date.now(), concerned);
      expect(ahead.every(({ home }) => home === 1)).toBe(true);
      run.note(`${ahead.length} clients moved`);
    });
    // The thawed master carries out what waited in its sockets: never acknowledged, but who saw it is told.
    expect(ledger).toMatchObject(HONEST);
  });

  it('acknowledged writes that the promotion loses: who saw them is told', async () => {
    const ledger = await ledgerOf(world, 'replication blocked, then promotion', async (run) => {
      const { master, replica, concerned } = await target(run);
      // Clients that see nothing of the suffix: their gateway stands still meanwhile.
      await world.gateways[1]?.signal('SIGSTOP');
      await cutReplication(master, replica);
      const cutAt = Date.now();
      await run.live(
        cutAt,
        concerned.filter(({ home }) => home === 0),
      );
      await delay(500);
      await master.kill9();
      replica.resume();
      const promotedAt = await promotion([replica]);
      await world.gateways[1]?.signal('SIGCONT');
      run.note(`live ${await run.live(promotedAt, concerned)} ms after the promotion`);
      const told = concerned.filter((one) => one.told.some(({ kind }) => kind === 'reset'));
      run.note(`told: ${told.length} of ${concerned.length}`);
      expect(told.length).toBeGreaterThan(0);
    });
    expectHonest(ledger);
    expect(ledger.lostByLog).toBeGreaterThan(0);
    expect(ledger.resets.diverged).toBeGreaterThan(0);
  });
});

describe('slots that move', { timeout: TIMEOUT_MS }, () => {
  it.each(['target', 'source'] as const)('the %s is told first, the other 0.5 s later', async (first) => {
    const ledger = await ledgerOf(world, `slots moved, ${first} told first`, async (run) => {
      const slots = new Set(run.channels.slice(0, 3).map(slotOf));
      for (const slot of slots) {
        const move = await beginMove(world.servers, slot, await anotherMaster(slot));
        await delay(200);
        await moveKeys(move);
        const [one, other] = first === 'source' ? [move.source, move.target] : [move.target, move.source];
        await tellMoved(one, move);
        await delay(500);
        await tellMoved(other, move);
      }
      run.note(`${slots.size} slots; live ${await run.live()} ms after the last`);
    });
    expect(ledger).toMatchObject(CLEAN);
  });

  it('half of the keys stay away for seconds (TRYAGAIN)', async () => {
    const ledger = await ledgerOf(world, 'slot half moved for 3 s (TRYAGAIN)', async (run) => {
      const slot = slotOf(run.channels[0] as string);
      const move = await beginMove(world.servers, slot, await anotherMaster(slot));
      await moveKeys(move, (key) => key.includes(':l:'));
      await delay(3_000);
      await moveKeys(move);
      await tellMoved(move.target, move);
      await tellMoved(move.source, move);
      run.note(`live ${await run.live()} ms after the move`);
    });
    expect(ledger).toMatchObject(CLEAN);
  });
});

/** Some master that does not serve this slot. */
async function anotherMaster(slot: number): Promise<RedisNode> {
  const owner = await world.servers.masterOf(slot);
  for (const node of world.servers.nodes) if (node !== owner && (await isMaster(node))) return node;
  throw new Error('there is no other master');
}
