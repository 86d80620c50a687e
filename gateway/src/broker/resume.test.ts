import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LineageEntry, LogPage } from './broker.js';
import { ChannelLog } from './memory/channel-log.js';
import type { LogPosition, LogRecord, NewMessage } from './record.js';
import { endOf, epochAt, indexAfter, isBefore, judge, reaches, toLogPosition } from './resume.js';

const message: NewMessage = { payload: { format: 'json', bytes: Buffer.from('1') } };

function position(epoch: number, offset: number): LogPosition {
  return { epoch, offset };
}

/**
 * A log whose epochs 1, 2, ... end at these offsets (an end below the one before: a lost suffix), with
 * the entries up to `trimmed` gone.
 */
function logOf(ends: readonly { epoch: number; from: number; to: number }[], trimmed = 0): ChannelLog {
  const log = new ChannelLog(ends[0]?.epoch ?? 1);
  for (const { epoch, from, to } of ends) {
    if (epoch !== log.head.epoch) log.beginEpoch(epoch, from);
    while (log.head.offset < to) log.append(message, 0, 1, 1000);
  }
  log.trim(trimmed);
  return log;
}

function judgeAt(log: ChannelLog, at: LogPosition, limit = 3) {
  return judge(at, log.read({ after: at, limit }));
}

const oneEpoch = [{ epoch: 1, from: 0, to: 10 }];
/** Taken over cleanly at 10. */
const clean = [...oneEpoch, { epoch: 2, from: 10, to: 15 }];
/** Entries 8 to 10 of epoch 1 are lost. */
const forked = [...oneEpoch, { epoch: 2, from: 7, to: 12 }];

it('a client may hold any words as its epoch: those of no log become 0', () => {
  expect(toLogPosition({ epoch: '1795392097218000', offset: 4 })).toEqual(position(1_795_392_097_218_000, 4));
  for (const epoch of [
    'abc',
    '-5',
    '0',
    '007',
    '1e3',
    '0x10',
    ' 1',
    '1.5',
    '9007199254740992',
    '9'.repeat(64),
    'NaN',
  ]) {
    expect(toLogPosition({ epoch, offset: 4 }), epoch).toEqual(position(0, 4));
  }
});

describe('the resume rules', () => {
  it('go on after any position whose next entry is there', () => {
    for (let offset = 0; offset <= 10; offset++) {
      expect(judgeAt(logOf(oneEpoch), position(1, offset))).toEqual({ ok: true, at: position(1, offset) });
    }
  });

  it('find nothing missed at the head, whatever was trimmed', () => {
    expect(judgeAt(logOf(oneEpoch, 10), position(1, 10))).toEqual({ ok: true, at: position(1, 10) });
    expect(judgeAt(logOf([{ epoch: 1, from: 0, to: 0 }]), position(1, 0))).toEqual({ ok: true, at: position(1, 0) });
  });

  it('find nothing missed at the head of the epoch before, if the log was taken over and not published to', () => {
    const log = logOf([...oneEpoch, { epoch: 2, from: 10, to: 10 }], 10);
    for (const epoch of [1, 2]) {
      expect(judgeAt(log, position(epoch, 10))).toEqual({ ok: true, at: position(epoch, 10) });
    }
  });

  it('say expired if the next entry was trimmed: the holder stands before the first one left', () => {
    const expired = { ok: false, reason: 'expired', at: position(1, 6) };
    expect(judgeAt(logOf(oneEpoch, 6), position(1, 0))).toEqual(expired);
    expect(judgeAt(logOf(oneEpoch, 6), position(1, 5))).toEqual(expired);
    expect(judgeAt(logOf(oneEpoch, 6), position(1, 6))).toEqual({ ok: true, at: position(1, 6) });
  });

  it('say expired at the head if nothing is left', () => {
    expect(judgeAt(logOf(oneEpoch, 10), position(1, 9))).toEqual({ ok: false, reason: 'expired', at: position(1, 10) });
    expect(judgeAt(logOf(clean, 15), position(1, 3))).toEqual({ ok: false, reason: 'expired', at: position(2, 15) });
  });

  it('say expired in the epoch to which the place belongs, the older one at a border', () => {
    expect(judgeAt(logOf(clean, 9), position(1, 3))).toMatchObject({ reason: 'expired', at: position(1, 9) });
    expect(judgeAt(logOf(clean, 10), position(1, 3))).toMatchObject({ reason: 'expired', at: position(1, 10) });
    expect(judgeAt(logOf(clean, 11), position(1, 3))).toMatchObject({ reason: 'expired', at: position(2, 11) });
  });

  it('take both names of a border for the same place', () => {
    for (const log of [logOf(clean), logOf(clean, 10)]) {
      for (const epoch of [1, 2]) {
        expect(judgeAt(log, position(epoch, 10))).toEqual({ ok: true, at: position(epoch, 10) });
      }
    }
    for (const epoch of [1, 2]) {
      expect(judgeAt(logOf(forked), position(epoch, 7))).toEqual({ ok: true, at: position(epoch, 7) });
    }
  });

  it('replay across a clean takeover', () => {
    expect(judgeAt(logOf(clean), position(1, 8))).toEqual({ ok: true, at: position(1, 8) });
  });

  it('say unrecoverable for an epoch the log does not know, wherever the offset is', () => {
    for (const offset of [0, 7, 12, 99]) {
      for (const epoch of [0, 3, Number.NaN]) {
        expect(judgeAt(logOf(forked), position(epoch, offset))).toEqual({
          ok: false,
          reason: 'unrecoverable',
          at: position(2, 12),
        });
      }
    }
  });

  it('say diverged if the log lost what the holder has seen, at the last entry in common', () => {
    const diverged = { ok: false, reason: 'diverged', at: position(1, 7) };
    for (const offset of [8, 9, 10]) expect(judgeAt(logOf(forked), position(1, offset))).toEqual(diverged);
  });

  it('say diverged at the head if the log lost its end and nobody has published since', () => {
    const log = logOf([...oneEpoch, { epoch: 2, from: 7, to: 7 }]);
    expect(judgeAt(log, position(1, 9))).toEqual({ ok: false, reason: 'diverged', at: position(1, 7) });
    expect(judgeAt(log, position(1, 7))).toEqual({ ok: true, at: position(1, 7) });
  });

  it('say diverged for an offset the current epoch has not reached', () => {
    expect(judgeAt(logOf(oneEpoch), position(1, 11))).toEqual({ ok: false, reason: 'diverged', at: position(1, 10) });
  });

  it('give one reset where the holder has diverged and what follows has expired', () => {
    const diverged = (epoch: number, offset: number) => ({
      ok: false,
      reason: 'diverged',
      at: position(epoch, offset),
    });
    expect(judgeAt(logOf(forked, 7), position(1, 9))).toEqual(diverged(1, 7));
    expect(judgeAt(logOf(forked, 9), position(1, 9))).toEqual(diverged(2, 9));
    expect(judgeAt(logOf(forked, 12), position(1, 9))).toEqual(diverged(2, 12));
  });

  it('do not take the same offset of another epoch for the same place', () => {
    const log = logOf([...oneEpoch, { epoch: 2, from: 7, to: 10 }]);
    expect(judgeAt(log, position(1, 10))).toMatchObject({ ok: false, reason: 'diverged' });
    expect(judgeAt(log, position(2, 10))).toMatchObject({ ok: true });
  });

  it('judge by a page that begins before the position', () => {
    const page = logOf(clean).read({ after: position(1, 2), limit: 9 });
    expect(judge(position(1, 6), page)).toEqual({ ok: true, at: position(1, 6) });
    expect(judge(position(1, 10), page)).toEqual({ ok: true, at: position(1, 10) });
  });
});

describe('places in a lineage', () => {
  const lineage: LineageEntry[] = [
    { epoch: 5, baseOffset: 3 },
    { epoch: 8, baseOffset: 10 },
    { epoch: 9, baseOffset: 10 },
  ];

  it('belong to the epoch that holds the offset', () => {
    const epochs = [0, 3, 4, 10, 11, 99].map((offset) => epochAt(lineage, offset));
    expect(epochs).toEqual([5, 5, 5, 5, 9, 9]);
  });

  it('end where the next epoch begins, the last one at the head', () => {
    const head = position(9, 12);
    expect([5, 8, 9, 7].map((epoch) => endOf({ lineage, head }, epoch))).toEqual([10, 10, 12, undefined]);
  });

  it('are reached where the log has their epoch and goes so far in it', () => {
    const log = { lineage, head: position(9, 12) };
    const reached = [position(5, 10), position(5, 11), position(9, 12), position(9, 13), position(7, 1)];
    expect(reached.map((one) => reaches(log, one))).toEqual([true, false, true, false, false]);
  });

  it('are ordered by epoch, then offset', () => {
    const places = [position(1, 1), position(1, 2), position(2, 0), position(2, 5)];
    for (const [i, a] of places.entries()) {
      for (const [j, b] of places.entries()) expect(isBefore(a, b)).toBe(i < j);
      expect(indexAfter(places, a)).toBe(i + 1);
    }
    expect(indexAfter(places, position(0, 9))).toBe(0);
  });
});

type Step =
  | { readonly do: 'publish'; readonly count: number }
  | { readonly do: 'takeover'; readonly lose: number }
  | { readonly do: 'trim'; readonly keep: number }
  | { readonly do: 'read'; readonly client: number; readonly limit: number }
  | { readonly do: 'join'; readonly client: number; readonly back: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('publish' as const), count: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('takeover' as const), lose: fc.nat(6) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('trim' as const), keep: fc.nat(8) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('read' as const),
      client: fc.nat(2),
      limit: fc.integer({ min: 1, max: 4 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('join' as const), client: fc.nat(2), back: fc.nat(5) }) },
);

/** What somebody knows: a position, and the messages up to it as the log held them then. */
interface Client {
  at: LogPosition;
  seen: readonly string[];
}

/** A log together with the messages of every offset up to its head, trimmed or not. */
class Model {
  readonly log = new ChannelLog(1);
  path: readonly string[] = [];
  readonly clients: Client[] = [0, 1, 2].map(() => ({ at: position(1, 0), seen: [] }));
  readonly verdicts: string[] = [];
  #next = 1;
  #epoch = 1;

  run(one: Step): void {
    if (one.do === 'publish') for (let i = 0; i < one.count; i++) this.#publish();
    if (one.do === 'takeover') {
      const base = Math.max(0, this.path.length - one.lose);
      this.log.beginEpoch(++this.#epoch, base);
      this.path = this.path.slice(0, base);
    }
    if (one.do === 'trim') this.log.trim(this.log.head.offset - one.keep);
    if (one.do === 'join') this.clients[one.client] = this.#joined(Math.max(0, this.path.length - one.back));
    if (one.do === 'read') this.#read(this.clients[one.client] as Client, one.limit);
  }

  #publish(): void {
    const name = `${this.#next++}`;
    this.log.append({ payload: { format: 'json', bytes: Buffer.from(name) } }, 0, 1, 1000);
    this.path = [...this.path, name];
  }

  #joined(offset: number): Client {
    return { at: position(epochAt(this.log.lineage, offset), offset), seen: this.path.slice(0, offset) };
  }

  /** One page, as a replay takes it; checks the verdict against what is known to be true. */
  #read(client: Client, limit: number): void {
    const page = this.log.read({ after: client.at, limit });
    const verdict = judge(client.at, page);
    this.verdicts.push(verdict.ok ? 'ok' : verdict.reason);
    const { at } = verdict;
    const missed = this.#missed(client, page);
    if (verdict.ok) {
      expect(missed).toBe('nothing');
      expect(at).toEqual(client.at);
    } else {
      expect(verdict.reason).toBe(missed);
      client.seen = this.path.slice(0, at.offset);
    }
    const entries = page.entries.filter((entry) => isBefore(at, entry));
    expect(entries.map(({ offset }) => offset)).toEqual(entries.map((_, i) => at.offset + 1 + i));
    client.at = entries.at(-1) ?? at;
    client.seen = [...client.seen, ...entries.map(text)];
    expect(client.seen).toEqual(this.path.slice(0, client.at.offset));
    if (!page.more) expect(client.at.offset).toBe(this.path.length);
    const again = judge(client.at, this.log.read({ after: client.at, limit }));
    expect(again).toEqual({ ok: true, at: client.at });
  }

  /** The truth, by comparing messages. */
  #missed({ at, seen }: Client, page: LogPage): string {
    if (!page.lineage.some(({ epoch }) => epoch === at.epoch)) return 'unrecoverable';
    if (seen.some((name, i) => this.path[i] !== name)) return 'diverged';
    const oldest = this.log.read({ sinceTime: 0, limit: 1 }).entries[0]?.offset ?? this.path.length + 1;
    return seen.length < oldest - 1 && seen.length < this.path.length ? 'expired' : 'nothing';
  }
}

function text(record: LogRecord): string {
  return Buffer.from(record.payload.bytes).toString();
}

describe('clients of a log that forks and is trimmed', () => {
  it('are told when something was missed, and only then', () => {
    const met = new Set<string>();
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 60 }), (steps) => {
        const model = new Model();
        for (const one of steps) model.run(one);
        for (const verdict of model.verdicts) met.add(verdict);
      }),
      { numRuns: 2000 },
    );
    expect([...met].sort()).toEqual(['diverged', 'expired', 'ok', 'unrecoverable']);
  });
});
