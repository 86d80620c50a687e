import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { channelKeys } from '../../src/redis/keys.js';
import { ledgerOf, printLedgers, SCALE } from '../faults/harness.js';
import { CLEAN, HONEST } from '../faults/ledger.js';
import { killClients } from '../faults/redis-faults.js';
import { World } from '../faults/world.js';
import type { GatewayProcess } from '../support/gateway-process.js';
import { freePort, type RedisNode, type StandaloneServers, startRedis, until } from '../support/redis-servers.js';

/** Makes the event loop of a gateway stand still on SIGUSR2. */
const STALL = fileURLToPath(new URL('../faults/stall.mjs', import.meta.url));
const TIMEOUT_MS = 400_000;
const PAUSE = `${SCALE.pauseMs / 1000} s`;
/** How long a gateway tries a publish. */
const GIVE_UP_MS = 15_000;
/** The number of a publish that is not in the books. */
const REFUSED = -1;

let world: World<StandaloneServers>;
let node: RedisNode;

beforeAll(async () => {
  const servers = await startRedis({ appendonly: true, config: { appendfsync: 'always' } });
  world = await World.start(servers, {
    env: { NODE_OPTIONS: `--import=${STALL}`, STALL_MS: String(SCALE.pauseMs) },
  });
  node = servers.node;
}, TIMEOUT_MS);
afterEach(() => world.mend(), TIMEOUT_MS);
afterAll(async () => {
  await world?.stop();
  printLedgers('one Redis server, two gateways');
});

describe('faults of gateways', { timeout: TIMEOUT_MS }, () => {
  it('kill -9: its clients go to the other one', async () => {
    const ledger = await ledgerOf(world, 'gateway kill -9', async (run) => {
      const moving = run.subscribers.filter(({ home }) => home === 0);
      const killedAt = Date.now();
      await world.gateways[0]?.signal('SIGKILL');
      await delay(100); // what it had sent is still on its way
      await run.live(Date.now(), moving);
      run.note(`all live on the other after ${Date.now() - killedAt} ms`);
    });
    expect(ledger).toMatchObject(CLEAN);
  });

  it('SIGSTOP: its clients notice a delay', async () => {
    const ledger = await ledgerOf(world, `gateway SIGSTOP ${PAUSE}`, async (run) => {
      await world.gateways[1]?.signal('SIGSTOP');
      await delay(SCALE.pauseMs);
      await world.gateways[1]?.signal('SIGCONT');
      run.note(`all live ${await run.live()} ms after SIGCONT`);
    });
    expect(ledger).toMatchObject(CLEAN);
  });

  it('an event loop that stands still', async () => {
    const ledger = await ledgerOf(world, `event loop paused ${PAUSE}`, async (run) => {
      await world.gateways[0]?.signal('SIGUSR2');
      await delay(SCALE.pauseMs);
      run.note(`all live ${await run.live()} ms after the pause`);
    });
    expect(ledger).toMatchObject(CLEAN);
  });
});

describe('faults of connections', { timeout: TIMEOUT_MS }, () => {
  it('every subscribing connection is cut', async () => {
    const ledger = await ledgerOf(world, 'CLIENT KILL TYPE pubsub', async (run) => {
      for (let round = 0; round < 3; round++) {
        const killed = Number(await node.client.call('CLIENT', 'KILL', 'TYPE', 'pubsub'));
        expect(killed).toBeGreaterThan(0);
        run.note(`live after ${await run.live()} ms`);
      }
    });
    expect(ledger).toMatchObject(CLEAN);
  });

  it('publishing connections are cut in the middle of publishes', async () => {
    const ledger = await ledgerOf(world, 'publishing connections cut', async (run) => {
      let killed = 0;
      for (let round = 0; round < 20; round++) {
        killed += await killClients(node, ({ cmd }) => cmd === 'evalsha' || cmd === 'role');
        await delay(50);
      }
      expect(killed).toBeGreaterThan(0);
      run.note(`${killed} connections cut within a second`);
    });
    expect(ledger).toMatchObject(CLEAN);
  });
});

describe('faults of the server', { timeout: TIMEOUT_MS }, () => {
  it('restarts with its append-only file', async () => {
    const ledger = await ledgerOf(world, 'restart with AOF', async (run) => {
      await node.restart();
      run.note(`live ${await run.live()} ms after it was up`);
    });
    expect(ledger).toMatchObject(CLEAN);
  });

  it('forgets its scripts again and again', async () => {
    const ledger = await ledgerOf(world, 'SCRIPT FLUSH x 20', async () => {
      for (let round = 0; round < 20; round++) {
        await node.client.script('FLUSH');
        await delay(50);
      }
    });
    expect(ledger).toMatchObject(CLEAN);
  });

  it('is out of memory: what it refuses is not delivered', async () => {
    const ledger = await ledgerOf(world, `memory full for ${SCALE.fullMs / 1000} s`, async (run) => {
      await node.client.config('SET', 'maxmemory', '1mb');
      await delay(1_000); // what was stored before is read by then
      const fullAt = Date.now();
      const [gateway] = world.gateways as [GatewayProcess];
      const refused = gateway.publish({ channel: run.channels[0], data: { n: REFUSED } });
      await delay(SCALE.fullMs);
      const heard = run.subscribers.filter((subscriber) => subscriber.heardAfter(fullAt) !== undefined);
      await node.client.config('SET', 'maxmemory', '0');
      expect(heard).toHaveLength(0);
      run.note(`live ${await run.live()} ms after it had room`);
      const { status, body } = await refused;
      run.note(`a publish without a key: ${status} ${body.code ?? 'once there was room'}`);
      if (SCALE.fullMs > GIVE_UP_MS) expect({ status, code: body.code }).toEqual({ status: 503, code: 'unavailable' });
      const isTold = () => run.subscribers.some((one) => one.told.some((event) => 'n' in event && event.n === REFUSED));
      if (status === 200) await until('what was stored is delivered', isTold);
      else expect(isTold()).toBe(false);
    });
    expect(ledger).toMatchObject(CLEAN);
  });

  it('answers as a read-only replica', async () => {
    const ledger = await ledgerOf(world, 'read-only replica answers', async (run) => {
      await node.client.replicaof('127.0.0.1', await freePort()); // nobody is there: it keeps its data
      run.note(`noticed after ${await world.noticed(node)} ms`);
      await delay(1_000);
      await node.client.replicaof('NO', 'ONE');
      run.note(`live ${await run.live()} ms after it was a master again`);
    });
    expect(ledger).toMatchObject(CLEAN);
  });

  it.each([
    ['log and meta', (channel: string) => [channelKeys(channel).log, channelKeys(channel).meta], 'unrecoverable'],
    ['meta', (channel: string) => [channelKeys(channel).meta], undefined],
    ['log', (channel: string) => [channelKeys(channel).log], undefined],
  ])('loses keys behind our back: %s', async (what, keysOf, reason) => {
    const ledger = await ledgerOf(world, `deleted: ${what}`, async ({ channels }) => {
      for (const channel of channels) await node.client.del(...keysOf(channel));
    });
    expect(ledger).toMatchObject(HONEST);
    expect(ledger.resets).toEqual(reason ? { [reason]: SCALE.subscribers } : {});
  });

  it('restarts empty: all are told, then it flows again', async () => {
    const ledger = await ledgerOf(world, 'restart empty', async (run) => {
      await node.kill9();
      await rm(join(node.dir, 'appendonlydir'), { recursive: true });
      await node.restart();
      run.note(`live ${await run.live()} ms after it was up`);
    });
    expect(ledger).toMatchObject({ ...HONEST, resets: { unrecoverable: SCALE.subscribers } });
    expect(ledger.lostByLog).toBeGreaterThan(0);
  });
});
