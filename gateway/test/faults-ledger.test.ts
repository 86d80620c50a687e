import { describe, expect, it } from 'vitest';
import type { LogPosition } from '../src/broker/record.js';
import { type ChannelBook, CLEAN, closeBooks, HONEST, type Told } from './faults/ledger.js';

const at = (offset: number, epoch = 1): LogPosition => ({ epoch, offset });
const entry = (offset: number, epoch = 1) => ({ at: at(offset, epoch), n: offset });
const message = (offset: number, epoch = 1): Told => ({ kind: 'message', when: 0, ...entry(offset, epoch) });
const reset = (reason: 'expired' | 'unrecoverable' | 'diverged', from: LogPosition, to: LogPosition): Told => ({
  kind: 'reset',
  when: 0,
  reason,
  from,
  at: to,
});

/** A log of five entries, and a subscriber that was told this and stands at the end of it. */
function account(told: readonly Told[], log: Partial<ChannelBook['log']> = {}, hidden = 0) {
  const entries = [1, 2, 3, 4, 5].map((offset) => entry(offset));
  const whole = { head: at(5), lineage: [{ epoch: 1, baseOffset: 0 }], entries, ...log };
  const end = told.at(-1)?.at ?? at(0);
  return closeBooks([{ log: whole, acknowledged: entries, subscribers: [{ start: at(0), end, told, hidden }] }], 0);
}

const all = [1, 2, 3, 4, 5].map((offset) => message(offset));
/** Epoch 2 went on after offset 3: 4 and 5 of epoch 1 are lost. */
const forked = {
  head: at(4, 2),
  lineage: [
    { epoch: 1, baseOffset: 0 },
    { epoch: 2, baseOffset: 3 },
  ],
  entries: [entry(1), entry(2), entry(3), entry(4, 2)],
};

describe('the books of a fault', () => {
  it('are clean where everybody was given everything once and in order', () => {
    expect(account(all)).toMatchObject({ ...CLEAN, acknowledged: 5, received: 5 });
  });

  it('show what is lost, doubled, swapped or wrong', () => {
    expect(account(all.filter((_, i) => i !== 2))).toMatchObject({ lost: 1 });
    expect(account([...all, message(5)])).toMatchObject({ duplicated: 1 });
    const [one, two, three, ...rest] = all as [Told, Told, Told];
    expect(account([one, three, two, ...rest])).toMatchObject({ reordered: 1, lost: 0 });
    expect(account([{ kind: 'message', when: 0, at: at(1), n: 7 }, ...all.slice(1)])).toMatchObject({ wrong: 1 });
    expect(account(all.slice(0, 4))).toMatchObject({ lost: 1, behind: 1 });
    expect(account(all, {}, 1)).toMatchObject({ hidden: 1 });
  });

  it('ask that who saw a lost suffix is told, and nobody else', () => {
    const told = [...all, reset('diverged', at(5), at(3)), message(4, 2)];
    expect(account(told, forked)).toMatchObject({ ...HONEST, lostByLog: 2, resets: { diverged: 1 } });
    expect(account([...all.slice(0, 3), message(4, 2)], forked)).toMatchObject({ ...HONEST, resets: {} });
    expect(account(all, forked)).toMatchObject({ untold: 2, lost: 1, behind: 1 });
    const early = [...all.slice(0, 3), reset('diverged', at(3), at(3)), message(4, 2)];
    expect(account(early, forked)).toMatchObject({ unfounded: 1 });
    const skipped = [...all, reset('diverged', at(5), at(4, 2))];
    expect(account(skipped, forked)).toMatchObject({ lost: 1 });
  });

  it('take `unrecoverable` only where the log forgot the epoch', () => {
    const empty = { head: at(1, 9), lineage: [{ epoch: 9, baseOffset: 0 }], entries: [entry(1, 9)] };
    const told = [...all, reset('unrecoverable', at(5), at(1, 9))];
    expect(account(told, empty)).toMatchObject({ ...HONEST, lostByLog: 5 });
    expect(account([...all.slice(0, 3), reset('unrecoverable', at(3), at(5))])).toMatchObject({ unfounded: 1 });
    expect(account(all, empty)).toMatchObject({ untold: 5 });
  });
});
