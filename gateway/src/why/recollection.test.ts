import { describe, expect, it } from 'vitest';
import type { EventName, FlightEvent } from '../flight-recorder.js';
import { recollect } from './recollection.js';

/** Events in the order given, a ms apart: `[what, who, from, to?, count?]`, of epoch 5 unless told otherwise. */
type Told = readonly [what: EventName, who: string, from: number, to?: number, count?: number, epoch?: number];

function remember(events: readonly Told[], offset: number, session = 's1', epoch = 5) {
  const all: FlightEvent[] = events.map(([what, who, from, to = from, count = 0, of = 5], index) => ({
    what,
    who,
    from,
    to,
    count,
    epoch: of,
    at: index + 1,
  }));
  return recollect(all, { epoch, offset, session });
}

const verdict = (events: readonly Told[], offset: number) => {
  const { session } = remember(events, offset);
  return [session?.verdict, session?.at];
};

/** On the channel from 40 on. */
const ON: readonly Told[] = [
  ['joined', 's1', 40],
  ['live', 's1', 40],
];

describe('of a message a gateway remembers', () => {
  it('who published it, that it was pushed, and to how many it was sent', () => {
    const events: Told[] = [
      ['published', 'http dev', 42],
      ['flushed', '', 41, 45, 7],
    ];
    expect(remember(events, 42)).toMatchObject({
      published: { at: 1, by: 'http dev' },
      received: { by: 'push', at: 2 },
      flushed: { at: 2, subscribers: 7 },
      droppedCount: 0,
      replayedCount: 0,
    });
    expect(remember(events, 46).flushed).toBeUndefined();
  });

  it('that it was read from the log', () => {
    expect(
      remember(
        [
          ['read', '', 41, 44],
          ['flushed', '', 41, 44, 1],
        ],
        42,
      ).received,
    ).toEqual({ by: 'log', at: 1 });
  });

  it('nothing of the same offset in another history', () => {
    const events: Told[] = [
      ['published', 'ws', 42, 42, 0, 6],
      ['flushed', '', 42, 42, 7, 6],
      ['replayed', 's1', 42, 42, 0, 6],
    ];
    expect(remember(events, 42)).toEqual({
      dropped: [],
      droppedCount: 0,
      replayed: [],
      replayedCount: 0,
      session: { verdict: 'unknown', events: [{ at: 3, what: 'replayed', from: 42, to: 42 }] },
    });
  });

  it('that clients were told a reset instead', () => {
    expect(remember([['reset', 'expired', 50]], 42).reset).toEqual({ at: 1, reason: 'expired' });
  });

  it('for whom it was dropped: those who came back from before it, or did not come back from amid it', () => {
    const events: Told[] = [
      ...['a', 'b', 'c', 'd'].map((who): Told => ['live', who, 40]),
      ['flushed', '', 41, 45, 4],
      ['lagged', 'a', 45],
      ['lagged', 'b', 45],
      ['lagged', 'c', 45],
      ['joined', 'a', 41],
      ['replayed', 'a', 42, 45],
      ['joined', 'b', 43],
      ['flushed', '', 46, 46, 1],
      ['lagged', 'd', 46],
    ];
    const { dropped, replayed } = remember(events, 42);
    expect(dropped.map(({ session }) => session)).toEqual(['a', 'c']);
    expect(replayed).toEqual([{ session: 'a', at: 10 }]);
  });
});

describe('of a message for one session a gateway remembers', () => {
  it.each<[string, readonly Told[], number, string, number | undefined]>([
    ['sent with all others', [...ON, ['flushed', '', 41, 45, 1]], 42, 'sent', 3],
    ['sent, and gone later', [...ON, ['flushed', '', 41, 45, 1], ['left', 's1', 60]], 42, 'sent', 3],
    ['on the channel, where it was not sent yet', ON, 42, 'waiting', 2],
    [
      'sent alone',
      [
        ['joined', 's1', 30],
        ['replayed', 's1', 31, 50],
        ['live', 's1', 50],
      ],
      42,
      'replayed',
      2,
    ],
    [
      'it began behind it',
      [
        ['flushed', '', 41, 45, 1],
        ['joined', 's1', 60],
        ['live', 's1', 60],
      ],
      42,
      'behind',
      2,
    ],
    ['it had left', [...ON, ['left', 's1', 40], ['flushed', '', 41, 45, 0]], 42, 'gone', 3],
    ['its connection had ended', [...ON, ['disconnected', 's1', 40]], 42, 'gone', 3],
    ['dropped, and not back', [...ON, ['flushed', '', 41, 45, 1], ['lagged', 's1', 45]], 42, 'dropped', 4],
    [
      'dropped, and replayed',
      [...ON, ['flushed', '', 41, 45, 1], ['lagged', 's1', 45], ['joined', 's1', 41], ['replayed', 's1', 42, 45]],
      42,
      'replayed',
      6,
    ],
    [
      'accepted before what was dropped',
      [...ON, ['flushed', '', 41, 45, 1], ['lagged', 's1', 45], ['joined', 's1', 43]],
      42,
      'sent',
      3,
    ],
    [
      'sent long before it read too slowly',
      [...ON, ['flushed', '', 41, 45, 1], ['flushed', '', 46, 900, 1], ['lagged', 's1', 900]],
      42,
      'sent',
      3,
    ],
    ['a reset', [['joinedAnew', 's1', 70]], 42, 'reset', 1],
    [
      'another session',
      [
        ['joined', 's2', 40],
        ['live', 's2', 40],
        ['flushed', '', 41, 45, 1],
      ],
      42,
      'unknown',
      undefined,
    ],
  ])('%s', (_, events, offset, expected, at) => {
    expect(verdict(events, offset)).toEqual([expected, at]);
  });
});
