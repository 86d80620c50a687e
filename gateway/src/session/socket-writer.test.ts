import { setImmediate as nextTurn } from 'node:timers/promises';
import { RAW_DIALECTS } from '@fanfare/protocol/raw';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../test/support/manual-clock.js';
import { createStats } from '../stats.js';
import type { SendResult, Socket } from '../transport/transport.js';
import { SocketWriter } from './socket-writer.js';

/** A writer over a socket that takes `room` frames until it is read from. */
function setUp(room = Number.POSITIVE_INFINITY) {
  const clock = new ManualClock();
  const stats = createStats();
  /** Frames that were accepted, and between them what the writer told. */
  const log: string[] = [];
  let corks = 0;
  const state = { room, notice: undefined as string | undefined };
  const socket: Socket = {
    send(frame): SendResult {
      if (state.room <= 0) return 'dropped';
      state.room--;
      log.push(String(frame));
      return 'sent';
    },
    cork(callback) {
      corks++;
      callback();
    },
    subscribe() {},
    unsubscribe() {},
    get bufferedBytes() {
      return state.room <= 0 ? 100 : 0;
    },
    remoteAddress: '',
    close() {},
    terminate() {},
  };
  const writer = new SocketWriter(socket, RAW_DIALECTS.json, clock, stats, {
    id: 's1',
    onLag: () => log.push('(lag)'),
    onCaughtUp() {
      log.push('(caught up)');
      return state.notice;
    },
    onOverflow: () => log.push('(overflow)'),
  });
  /** The client reads: there is room for so many frames. */
  const read = (frames = Number.POSITIVE_INFINITY) => {
    state.room = frames;
    writer.onDrain();
  };
  return { clock, stats, log, writer, state, read, corks: () => corks };
}

describe('replies', () => {
  it('are sent as they come while the client reads', () => {
    const { writer, log } = setUp();
    writer.send('a');
    writer.send('b');
    expect([log, writer.isLagging]).toEqual([['a', 'b'], false]);
  });

  it('wait while it lags, the dropped one first, behind what it has to be told', () => {
    const { writer, log, state, read, stats } = setUp(1);
    state.notice = 'lagged';
    for (const frame of ['a', 'b', 'c']) writer.send(frame);
    expect([log, writer.isLagging, stats.lagged]).toEqual([['a', '(lag)'], true, 1]);
    read();
    expect(log.slice(2)).toEqual(['(caught up)', 'lagged', 'b', 'c']);
    expect(writer.isLagging).toBe(false);
  });

  it('that do not all fit when it has caught up wait again, in order', () => {
    const { writer, log, read } = setUp(1);
    for (const frame of ['a', 'b', 'c', 'd']) writer.send(frame);
    read(2);
    expect(log.slice(2)).toEqual(['(caught up)', 'b', 'c', '(lag)']);
    read();
    expect(log.slice(6)).toEqual(['(caught up)', 'd']);
  });

  it('are not kept without bounds', () => {
    const { writer, log } = setUp(0);
    for (let n = 0; n < 10; n++) writer.send('x'.repeat(8 * 1024));
    expect(log).toContain('(overflow)');
  });

  it('of one turn that need not go at once leave together', () => {
    const { writer, log, clock, corks } = setUp();
    for (const frame of ['a', 'b', 'c']) writer.sendSoon(frame);
    expect(log).toEqual([]);
    clock.advance(0);
    expect([log, corks()]).toEqual([['a', 'b', 'c'], 1]);
    writer.sendSoon('d');
    clock.advance(0);
    expect(log.at(-1)).toBe('d');
  });
});

describe('a client that lags', () => {
  it('is told of once, however many frames are dropped, and nothing is sent to it', () => {
    const { writer, log, stats, state } = setUp(0);
    writer.onDropped();
    writer.onDropped();
    state.room = 10;
    writer.send('a');
    expect([log, writer.sendReplayed('b'), stats.lagged, stats.dropped]).toEqual([['(lag)'], false, 1, 2]);
  });

  it('has caught up when all of it was read, and not when some was', () => {
    const { writer, log, clock, read } = setUp(0);
    writer.onDropped();
    expect(writer.laggingSinceMs).toBe(clock.now());
    read(0);
    expect([log, writer.isDrained]).toEqual([['(lag)'], false]);
    read();
    expect([log, writer.isDrained, writer.laggingSinceMs]).toEqual([['(lag)', '(caught up)'], true, undefined]);
  });

  it('goes on in the next turn where nothing waits to be read: the frame was larger than the buffer', () => {
    const { writer, log, clock, state } = setUp(0);
    writer.onDropped();
    state.room = 1;
    clock.advance(0);
    expect(log).toEqual(['(lag)', '(caught up)']);
  });
});

describe('replayed frames', () => {
  it('are taken or not, and who replays waits until all was read', async () => {
    const { writer, log, read } = setUp(1);
    expect([writer.sendReplayed('a'), writer.sendReplayed('b')]).toEqual([true, false]);
    let isDrained = false;
    void writer.drained().then(() => {
      isDrained = true;
    });
    await nextTurn();
    expect(isDrained).toBe(false);
    read();
    await nextTurn();
    expect([isDrained, writer.sendReplayed('b'), log.at(-1)]).toEqual([true, true, 'b']);
  });

  it('come from two pages at a time', async () => {
    const { writer } = setUp();
    const begun: number[] = [];
    const ends: (() => void)[] = [];
    for (let n = 1; n <= 3; n++) {
      void writer.oneOfFew(() => {
        begun.push(n);
        return new Promise((resolve) => ends.push(resolve));
      });
    }
    expect(begun).toEqual([1, 2]);
    ends[0]?.();
    await nextTurn();
    expect(begun).toEqual([1, 2, 3]);
  });
});

describe('a client that reads nothing', () => {
  it('is known by the time since when, until something was written', () => {
    const { writer, state, read } = setUp();
    expect(writer.stalledSinceMs(10)).toBeUndefined();
    state.room = 0;
    expect([writer.stalledSinceMs(20), writer.stalledSinceMs(30)]).toEqual([20, 20]);
    read(0);
    expect(writer.stalledSinceMs(40)).toBe(40);
    read();
    expect(writer.stalledSinceMs(50)).toBeUndefined();
  });

  it('has caught up by what is seen when it is asked for, where the transport did not say so', () => {
    const { writer, log, state } = setUp(0);
    writer.onDropped();
    state.room = 1;
    expect(writer.stalledSinceMs(10)).toBeUndefined();
    expect(log).toEqual(['(lag)', '(caught up)']);
  });
});

it('a client that is gone is sent nothing, and nobody waits for it', async () => {
  const { writer, log, state, read } = setUp(0);
  writer.send('a');
  const waiting = writer.drained();
  writer.end();
  await waiting;
  await writer.drained();
  state.room = 10;
  writer.send('b');
  read();
  expect([log, writer.sendReplayed('c'), writer.unsentBytes]).toEqual([['(lag)'], false, 0]);
});
