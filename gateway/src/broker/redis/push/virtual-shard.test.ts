import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { ManualClock } from '../../../../test/support/manual-clock.js';
import { ChannelSubscription } from './channel-subscription.js';
import type { ShardConnection } from './connection.js';
import type { PushLink } from './push-link.js';
import { VirtualShard } from './virtual-shard.js';

function setUp() {
  const clock = new ManualClock(0);
  const told: string[] = [];
  const shard = new VirtualShard(3, clock, { minMs: 100, maxMs: 1_000 } as never, {
    onRefused: ({ message }) => told.push(`refused: ${message}`),
    onResumed: (count) => told.push(`resumed ${count}`),
  });
  /** A connection whose server answers when it is told to. */
  const connect = (name: string) => {
    const asked: string[][] = [];
    const left: string[][] = [];
    const answers: { ok: () => void; refuse: (why: string) => void }[] = [];
    const link = {
      isOpen: true,
      subscribe(names: string[]) {
        asked.push(names);
        return new Promise<void>((resolve, reject) =>
          answers.push({ ok: resolve, refuse: (why) => reject(new Error(why)) }),
        );
      },
      async unsubscribe(names: string[]) {
        left.push(names);
      },
    };
    return { connection: { name, link: link as unknown as PushLink } as ShardConnection, asked, left, answers };
  };
  const channel = (name: string) => {
    const heard: string[] = [];
    const listener = {
      onRecord() {},
      onInterrupted: () => heard.push('interrupted'),
      onResumed: () => heard.push('resumed'),
      onDoubt: () => heard.push('doubt'),
    };
    const spec = { name, durable: true, historySize: 1, historyTtlMs: 1000 };
    return { heard, one: new ChannelSubscription(spec, 0, listener, () => heard.push('on')) };
  };
  const turn = async () => {
    clock.advance(0);
    await nextTurn();
  };
  return { clock, told, shard, connect, channel, turn };
}

/** A shard at the master `one`, which was asked for the channel `a`, and another master to which it can move. */
async function setUpAsked() {
  const parts = setUp();
  const { shard, connect, channel, turn } = parts;
  const [one, two] = [connect('one'), connect('two')];
  const a = channel('a');
  shard.moveTo(one.connection);
  shard.add(a.one);
  await turn();
  return { ...parts, one, two, a };
}

it('asks for all that is wanted in one command a turn, of 512 names at most', async () => {
  const { shard, connect, channel, turn } = setUp();
  const server = connect('one');
  shard.moveTo(server.connection);
  for (let n = 0; n < 600; n++) shard.add(channel(`c${n}`).one);
  expect(server.asked).toEqual([]);
  await turn();
  expect(server.asked.map(({ length }) => length)).toEqual([512, 88]);
});

it('goes with its slot: what was on is interrupted, asked for at the new master, and resumed', async () => {
  const { shard, turn, told, one, two, a } = await setUpAsked();
  const { heard } = a;
  one.answers[0]?.ok();
  await turn();
  shard.moveTo(two.connection);
  expect([heard, shard.interruptedCount]).toEqual([['on', 'interrupted'], 1]);
  await turn();
  two.answers[0]?.ok();
  await turn();
  expect([heard, told, shard.interruptedCount]).toEqual([['on', 'interrupted', 'resumed'], ['resumed 1'], 0]);
});

it('what a server refuses is asked for again, later', async () => {
  const { turn, told, clock, one: server, a } = await setUpAsked();
  const { heard } = a;
  server.answers[0]?.refuse('MOVED');
  await turn();
  expect([told, server.asked.length]).toEqual([['refused: MOVED'], 1]);
  clock.advance(1_000);
  await turn();
  server.answers[1]?.ok();
  await turn();
  expect([heard, server.asked.length]).toEqual([['on'], 2]);
});

it('an answer of the master before, that comes late, is nobody’s', async () => {
  const { shard, turn, told, one, two, a } = await setUpAsked();
  const { heard } = a;
  shard.moveTo(two.connection);
  await turn();
  one.answers[0]?.refuse('gone');
  await turn();
  expect([heard, told, two.asked.length]).toEqual([[], [], 1]);
});

it('what is left is not asked for any more, and its server is told', async () => {
  const { shard, channel, turn, one: server, two, a } = await setUpAsked();
  const b = channel('b');
  server.answers[0]?.ok();
  shard.add(b.one);
  await shard.remove(b.one);
  const left = shard.remove(a.one);
  await turn();
  await left;
  expect([server.asked.length, server.left]).toEqual([1, [[a.one.name]]]);
  shard.moveTo(two.connection);
  shard.doubt();
  expect(a.heard).toEqual(['on']);
});
