/** The books of a run: every acknowledged publish against what each subscriber was given. */
import type { ResetReason } from '@fanfare/protocol';
import type { LogHead } from '../../src/broker/broker.js';
import type { LogPosition } from '../../src/broker/record.js';
import { endOf, isBefore } from '../../src/broker/resume.js';

/** A position and the number that was published there. */
export interface Entry {
  readonly at: LogPosition;
  readonly n: number;
}

/** What a subscriber was told, in the order told. */
export type Told =
  | ({ readonly kind: 'message'; readonly when: number } & Entry)
  | {
      readonly kind: 'reset';
      readonly when: number;
      readonly reason: ResetReason;
      readonly from: LogPosition;
      readonly at: LogPosition;
    };

/** One subscriber of one channel. */
export interface SubscriberBook {
  /** Where it stood when it first subscribed, and where in the end. */
  readonly start: LogPosition;
  readonly end: LogPosition;
  readonly told: readonly Told[];
  /** Holes and repetitions that the SDK hid from the application; a gateway makes none. */
  readonly hidden: number;
}

/** One channel: its log in the end, what publishers were told, and who was subscribed. */
export interface ChannelBook {
  readonly log: LogHead & { readonly entries: readonly Entry[] };
  readonly acknowledged: readonly Entry[];
  readonly subscribers: readonly SubscriberBook[];
}

export interface Ledger {
  readonly acknowledged: number;
  readonly received: number;
  /** Owed to a subscriber, and never given to it. */
  readonly lost: number;
  readonly duplicated: number;
  readonly reordered: number;
  /** Not what was published at this position. */
  readonly wrong: number;
  /** Holes and repetitions that the SDK saw and mended. */
  readonly hidden: number;
  /** Acknowledged, and not in the log in the end: what a failover or an operator took. */
  readonly lostByLog: number;
  /** Given to a subscriber, lost by the log, and the subscriber was not told. */
  readonly untold: number;
  /** Resets that nothing in the log explains. */
  readonly unfounded: number;
  /** Subscribers that do not stand at the head in the end. */
  readonly behind: number;
  /** Channels that only the audit, the last resort, found to have missed pushes. */
  readonly auditFindings: number;
  /** Resets told, by reason. */
  readonly resets: Readonly<Partial<Record<ResetReason, number>>>;
  /** Longest time for which some subscriber heard nothing, ms. */
  readonly longestSilenceMs: number;
}

/** What every fault must leave behind, whatever the log itself lost. */
export const HONEST = {
  lost: 0,
  duplicated: 0,
  reordered: 0,
  wrong: 0,
  hidden: 0,
  untold: 0,
  unfounded: 0,
  behind: 0,
  auditFindings: 0,
} as const satisfies Partial<Ledger>;

/** The same, where the log lost nothing: nobody is told anything. */
export const CLEAN = { ...HONEST, lostByLog: 0, resets: {} } as const satisfies Partial<Ledger>;

export function closeBooks(channels: readonly ChannelBook[], auditFindings: number): Ledger {
  const sums = { lost: 0, duplicated: 0, reordered: 0, wrong: 0, hidden: 0, untold: 0, unfounded: 0, behind: 0 };
  const resets: Partial<Record<ResetReason, number>> = {};
  let [acknowledged, received, lostByLog, longestSilenceMs] = [0, 0, 0, 0];
  for (const channel of channels) {
    acknowledged += channel.acknowledged.length;
    lostByLog += channel.acknowledged.filter(({ at }) => isLostBy(channel.log, at)).length;
    for (const subscriber of channel.subscribers) {
      const account = accountOf(subscriber, channel);
      for (const name of Object.keys(sums) as (keyof typeof sums)[]) sums[name] += account[name];
      received += account.received;
      longestSilenceMs = Math.max(longestSilenceMs, account.silenceMs);
      for (const { kind, ...told } of subscriber.told) {
        if ('reason' in told) resets[told.reason] = (resets[told.reason] ?? 0) + 1;
      }
    }
  }
  return { acknowledged, received, ...sums, lostByLog, auditFindings, resets, longestSilenceMs };
}

function accountOf({ start, end, told, hidden }: SubscriberBook, { log, acknowledged }: ChannelBook) {
  const account = { received: 0, duplicated: 0, reordered: 0, wrong: 0, unfounded: 0, silenceMs: 0 };
  const truth = new Map([...acknowledged, ...log.entries].map((entry) => [nameOf(entry.at), entry]));
  const seen = new Set<string>();
  /** Seen, and lost by the log: to be told by a reset. */
  let untold = 0;
  /** What is at or before this was given up by a reset that said so. */
  let excused = start;
  let stands = start;
  let heardAt = told[0]?.when ?? 0;
  for (const event of told) {
    account.silenceMs = Math.max(account.silenceMs, event.when - heardAt);
    heardAt = event.when;
    if (event.kind === 'message') {
      const name = nameOf(event.at);
      account.received++;
      if (seen.has(name)) account.duplicated++;
      else if (!isBefore(stands, event.at)) account.reordered++;
      if ((truth.get(name)?.n ?? event.n) !== event.n) account.wrong++;
      if (isLostBy(log, event.at)) untold++;
      seen.add(name);
    } else {
      if (!isFounded(event.reason, event.from, log)) account.unfounded++;
      if (event.reason !== 'diverged') excused = event.at;
      untold = 0;
    }
    stands = event.at;
  }
  const owed = [...truth.values()].filter(({ at }) => isBefore(excused, at) && !isLostBy(log, at));
  const lost = owed.filter(({ at }) => !seen.has(nameOf(at))).length;
  const behind = end.offset === log.head.offset && !isLostBy(log, end) ? 0 : 1;
  return { ...account, hidden, untold, lost, behind };
}

/** By the lineage: a place that the log has left behind, whatever it still holds of what came before. */
function isLostBy(log: LogHead, at: LogPosition): boolean {
  const end = endOf(log, at.epoch);
  return end === undefined || at.offset > end;
}

function isFounded(reason: ResetReason, from: LogPosition, log: ChannelBook['log']): boolean {
  const end = endOf(log, from.epoch);
  if (reason === 'unrecoverable') return end === undefined;
  if (reason === 'diverged') return end !== undefined && from.offset > end;
  return !log.entries.some(({ at }) => at.offset === from.offset + 1);
}

function nameOf({ epoch, offset }: LogPosition): string {
  return `${epoch}-${offset}`;
}

/** One line of the table. */
export interface LedgerRow {
  readonly fault: string;
  readonly ledger: Ledger;
  /** What else was measured. */
  readonly notes: readonly string[];
}

export function formatLedgers(rows: readonly LedgerRow[]): string {
  const head = ['fault', 'acked', 'received', 'lost', 'dupl.', 'reord.', 'lost by log', 'resets', 'silence', 'notes'];
  const body = rows.map(({ fault, ledger, notes }) => [
    fault,
    ledger.acknowledged,
    ledger.received,
    ledger.lost,
    ledger.duplicated + ledger.hidden,
    ledger.reordered + ledger.wrong,
    ledger.lostByLog,
    Object.entries(ledger.resets)
      .map(([reason, count]) => `${reason} ${count}`)
      .join(', ') || '-',
    `${(ledger.longestSilenceMs / 1000).toFixed(1)} s`,
    [
      ...notes,
      ...(ledger.untold > 0 ? [`UNTOLD ${ledger.untold}`] : []),
      ...(ledger.unfounded > 0 ? [`UNFOUNDED ${ledger.unfounded}`] : []),
      ...(ledger.behind > 0 ? [`BEHIND ${ledger.behind}`] : []),
      ...(ledger.auditFindings > 0 ? [`AUDIT ${ledger.auditFindings}`] : []),
    ].join('; '),
  ]);
  const lines = [head, ...body].map((cells) => `| ${cells.join(' | ')} |`);
  lines.splice(1, 0, `|${head.map(() => '---').join('|')}|`);
  return lines.join('\n');
}
