/**
 * The resume rules: given a position and one view of the log, where does its holder stand?
 * Pure; used for clients that join, for every page of a replay, and for a channel that repairs itself.
 */
import type { Position, ResetReason } from '@fanfare/protocol';
import type { LineageEntry, LogHead, LogPage } from './broker.js';
import type { LogPosition } from './record.js';

export type Verdict =
  /** Continuity holds: nothing was missed, or the page goes on from `at` without a hole. */
  | { readonly ok: true; readonly at: LogPosition }
  /** Continuity is broken: the holder of the position stands at `at` now, and the log goes on from there. */
  | { readonly ok: false; readonly reason: ResetReason; readonly at: LogPosition };

/**
 * The position that a client says it holds, as a log position. An epoch that no log can have, in whatever form, becomes
 * 0, which no log has either.
 */
export function toLogPosition({ epoch, offset }: Position): LogPosition {
  const number = Number(epoch);
  return { epoch: Number.isSafeInteger(number) && number > 0 && String(number) === epoch ? number : 0, offset };
}

export function samePosition(a: LogPosition, b: LogPosition): boolean {
  return a.offset === b.offset && a.epoch === b.epoch;
}

/** Log order: by epoch, then by offset. */
export function isBefore(a: LogPosition, b: LogPosition): boolean {
  return a.epoch < b.epoch || (a.epoch === b.epoch && a.offset < b.offset);
}

/**
 * The epoch in which the log holds this offset. On the border of two epochs it is the older one, where that is known.
 */
export function epochAt(lineage: readonly LineageEntry[], offset: number): number {
  for (let i = lineage.length - 1; i > 0; i--) {
    const entry = lineage[i] as LineageEntry;
    if (entry.baseOffset < offset) return entry.epoch;
  }
  return (lineage[0] as LineageEntry).epoch;
}

export function hasEpoch(lineage: readonly LineageEntry[], epoch: number): boolean {
  return lineage.some((one) => one.epoch === epoch);
}

/** The last offset of an epoch: the base of the one after it, or the head. `undefined`: not in the lineage. */
export function endOf({ lineage, head }: LogHead, epoch: number): number | undefined {
  for (let i = 0; i < lineage.length; i++) {
    if ((lineage[i] as LineageEntry).epoch === epoch) return lineage[i + 1]?.baseOffset ?? head.offset;
  }
  return undefined;
}

/** Whether the log goes at least as far as this position, in the position's epoch. */
export function reaches(log: LogHead, { epoch, offset }: LogPosition): boolean {
  const end = endOf(log, epoch);
  return end !== undefined && offset <= end;
}

/** Index of the first entry after a position; the number of entries if there is none. */
export function indexAfter(entries: readonly LogPosition[], position: LogPosition): number {
  let low = 0;
  for (let high = entries.length; low < high; ) {
    const middle = (low + high) >> 1;
    if (isBefore(position, entries[middle] as LogPosition)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/**
 * Judges a position against a page that was read `after` it.
 * The page must hold at least one entry if the log has one after the position.
 */
export function judge(position: LogPosition, page: LogPage): Verdict {
  const end = endOf(page, position.epoch);
  if (end === undefined) return { ok: false, reason: 'unrecoverable', at: page.head };
  const diverged = position.offset > end;
  const at = diverged ? { epoch: position.epoch, offset: end } : position;
  const next = page.entries[indexAfter(page.entries, at)];
  if (at.offset !== page.head.offset && next?.offset !== at.offset + 1) {
    const offset = next ? next.offset - 1 : page.head.offset;
    const epoch = next ? epochAt(page.lineage, offset) : page.head.epoch;
    return { ok: false, reason: diverged ? 'diverged' : 'expired', at: { epoch, offset } };
  }
  return diverged ? { ok: false, reason: 'diverged', at } : { ok: true, at };
}
