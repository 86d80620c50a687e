import { RAW_DIALECTS } from '@fanfare/protocol/raw';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../test/support/manual-clock.js';
import { HUB_DEFAULTS } from '../hub/hub-options.js';
import { SendScheduler } from '../hub/send-scheduler.js';
import { createStats } from '../stats.js';
import { Liveness, type Living } from './liveness.js';

const TIMINGS = { pingIntervalMs: 25_000, pongTimeoutMs: 10_000, connectTimeoutMs: 5_000, lagMs: 60_000 };

type State = { -readonly [Key in 'lastSeenMs' | 'laggingSinceMs']: Living[Key] } & { stalledSince?: number };

function setUp() {
  const clock = new ManualClock(0);
  const pings: string[] = [];
  const transport = { publish: (topic: string) => void pings.push(topic) };
  const scheduler = new SendScheduler(transport, clock, createStats(), HUB_DEFAULTS);
  const liveness = new Liveness(scheduler, clock, TIMINGS);
  const closes: string[] = [];
  /** A client that lives for as long as `isAlive` says. */
  const open = (name: string, isAlive = () => true) => {
    const openedAtMs = clock.now();
    const topics = new Set<string>();
    const state: State = { lastSeenMs: openedAtMs, laggingSinceMs: undefined };
    const session: Living & { readonly topics: Set<string>; readonly state: State } = {
      dialect: RAW_DIALECTS.json,
      openedAtMs,
      topics,
      state,
      get lastSeenMs() {
        return isAlive() ? clock.now() : state.lastSeenMs;
      },
      get laggingSinceMs() {
        return state.laggingSinceMs;
      },
      stalledSinceMs: () => state.stalledSince,
      subscribe: (topic) => void topics.add(topic),
      unsubscribe: (topic) => void topics.delete(topic),
      close: (code, reason) => {
        closes.push(`${name} ${code} ${reason} at ${clock.now()}`);
        liveness.closed(session);
      },
    };
    return session;
  };
  return { clock, liveness, closes, open, pings };
}

describe('a connection that has not said who it is', () => {
  it('is closed once its time is over, others at theirs', () => {
    const { clock, liveness, closes, open } = setUp();
    liveness.opened(open('a'));
    clock.advance(2_000);
    const said = open('b');
    liveness.opened(said);
    liveness.opened(open('c'));
    clock.advance(1_000);
    liveness.connected(said);
    clock.advance(60_000);
    expect(closes.map((close) => close.split(' at ')[0])).toEqual([
      'a 4002 no connect frame in time',
      'c 4002 no connect frame in time',
    ]);
    expect(closes[0]).toMatch(/at 5000$/);
    expect(closes[1]).toMatch(/at 7000$/);
  });

  it('that has taken longest is named where there are too many', () => {
    const { liveness, open } = setUp();
    const [a, b, c] = [open('a'), open('b'), open('c')];
    expect([liveness.opened(a, 2), liveness.opened(b, 2)]).toEqual([undefined, undefined]);
    expect(liveness.opened(c, 2)).toBe(a);
    liveness.closed(a);
    expect(liveness.opened(open('d'), 3)).toBeUndefined();
  });
});

describe('pings', () => {
  it('reach each client once an interval, spread over it, and nobody who is gone', () => {
    const { clock, liveness, open, pings } = setUp();
    const sessions = Array.from({ length: 50 }, (_, n) => open(String(n)));
    for (const session of sessions) {
      liveness.opened(session);
      liveness.connected(session);
      expect(session.topics.size).toBe(1);
    }
    const first = clock.now();
    const times: number[] = [];
    for (let at = first; at < 25_000; at += 500) {
      clock.advance(500);
      times.push(pings.splice(0).length);
    }
    // 25 topics with two clients each, one topic a second.
    expect(times.reduce((sum, n) => sum + n, 0)).toBe(25);
    expect(Math.max(...times)).toBe(1);
    for (const session of sessions) liveness.closed(session);
    expect(sessions.every(({ topics }) => topics.size === 0)).toBe(true);
    clock.advance(25_000);
    expect(pings).toEqual([]);
  });
});

describe('a client', () => {
  it('without a sign of life for an interval and the time for a pong is closed, others stay', () => {
    const { clock, liveness, closes, open } = setUp();
    const [silent, alive] = [open('silent', () => clock.now() < 10_000), open('alive')];
    silent.state.lastSeenMs = 10_000;
    liveness.connected(silent);
    liveness.connected(alive);
    clock.advance(44_000);
    expect(closes).toEqual([]);
    clock.advance(4_000);
    expect(closes).toHaveLength(1);
    expect(closes[0]).toMatch(/^silent 4002 no sign of life/);
  });

  it('that stays behind for too long is closed, one that has caught up is not', () => {
    const { clock, liveness, closes, open } = setUp();
    const [behind, better] = [open('behind'), open('better')];
    for (const session of [behind, better]) {
      liveness.connected(session);
      session.state.laggingSinceMs = 0;
      liveness.lagging(session);
    }
    clock.advance(59_000);
    liveness.caughtUp(better);
    expect(closes).toEqual([]);
    clock.advance(1_000);
    expect(closes).toEqual(['behind 4001 behind for too long at 60000']);
    clock.advance(60_000);
    expect(closes).toHaveLength(1);
  });

  it('that reads nothing for as long, though nothing was dropped, is closed', () => {
    const { clock, liveness, closes, open } = setUp();
    const stalled = open('stalled');
    stalled.state.stalledSince = 5_000;
    liveness.connected(stalled);
    clock.advance(64_000);
    expect(closes).toEqual([]);
    clock.advance(4_000);
    expect(closes[0]).toMatch(/^stalled 4001 reads nothing/);
  });
});

it('a process that stood still accuses nobody of its own silence', () => {
  const { clock, liveness, closes, open } = setUp();
  let isFrozen = false;
  const session = open('a', () => !isFrozen);
  liveness.connected(session);
  liveness.opened(open('b'));
  clock.advance(3_000);
  session.state.lastSeenMs = clock.now();
  isFrozen = true;
  // A minute later the timers run at once, before what clients sent is read.
  clock.set(clock.now() + 60_000);
  clock.advance(1);
  expect(closes).toEqual([]);
  // From here on their time runs again, in full.
  clock.advance(4_900);
  expect(closes).toEqual([]);
  clock.advance(60_000);
  expect(closes).toHaveLength(2);
});

it('nothing runs any more once it is stopped', () => {
  const { clock, liveness, closes, open } = setUp();
  liveness.opened(open('a'));
  liveness.stop();
  clock.advance(60_000);
  expect([closes, clock.timers]).toEqual([[], 0]);
});
