import type { AckPosition } from '../audit/ack-log.js';
import { StampReader } from '../audit/payload.js';
import type { Offender } from '../audit/receipts.js';
import type { Loss, TargetPlan } from './plan.js';

interface Wanted {
  readonly channel: string;
  readonly stream: number;
  readonly n: number;
}

interface Entry {
  readonly epoch: string;
  readonly offset: number;
  readonly data: unknown;
}

export interface SettledLosses {
  /** Deliveries that are missing because the log itself lost the message in a failover, as its epochs say. */
  readonly lostByLog: number;
  /** Deliveries that are missing because a reset into another epoch passed over them, and told so. */
  readonly passedOver: number;
  readonly offenders: readonly Offender[];
}

/** Most losses of each channel that are looked up. Any more count as lost, whatever the log says. */
const LOOKED_UP = 2_000;
const OFFENDERS = 3;
const PAGE = 500;
const TIMEOUT_MS = 20_000;

/**
 * Asks the log what became of what was not received. An acknowledged message that a subscriber lacks is
 * lost, unless the log forked before it: Redis replicates asynchronously, and a promotion can take back
 * what was acknowledged. Then an entry of a later epoch stands at its offset or before it, in the log or, where that is
 * shorter, among what the subscriber received. Nor is it lost if a reset put the subscriber at or behind it, in an epoch
 * in which the subscriber had not been.
 */
export async function settleLosses(
  losses: readonly Loss[],
  target: TargetPlan,
  positionsOf: (wanted: readonly Wanted[]) => Promise<readonly (AckPosition | undefined)[]>,
): Promise<SettledLosses> {
  let lostByLog = 0;
  let passedOver = 0;
  const offenders: Offender[] = [];
  for (const channel of new Set(losses.map((loss) => loss.channel))) {
    const mine = losses.filter((loss) => loss.channel === channel);
    const missing = mine.flatMap((loss) =>
      loss.ranges.flatMap(([from, to]) =>
        Array.from({ length: Math.min(to - from, LOOKED_UP) }, (_, i) => ({ loss, n: from + i })),
      ),
    );
    const unique = new Map(missing.map(({ loss, n }) => [`${loss.stream} ${n}`, { channel, stream: loss.stream, n }]));
    const wanted = [...unique.values()].slice(0, LOOKED_UP);
    const positions = await positionsOf(wanted);
    const byName = new Map(wanted.map(({ stream, n }, index) => [`${stream} ${n}`, positions[index] ?? undefined]));
    const log = await readLog(target, channel, positions);
    for (const { loss, n } of missing) {
      const position = byName.get(`${loss.stream} ${n}`);
      const forked =
        position !== undefined &&
        [...(log ?? []), ...loss.epochs].some(
          ({ epoch, offset }) => BigInt(epoch) > BigInt(position.epoch) && offset <= position.offset,
        );
      if (forked) {
        lostByLog++;
        continue;
      }
      const wasPassedOver = loss.entered.some(
        ({ epoch, offset }) => epoch === position?.epoch && position.offset <= offset,
      );
      if (wasPassedOver) {
        passedOver++;
        continue;
      }
      if (offenders.length >= OFFENDERS) continue;
      const where = position && log ? whereInLog(log, loss.stream, n, position) : 'the log was not read';
      offenders.push({
        what: 'lost',
        channel,
        subscriber: loss.subscriber,
        stream: loss.stream,
        n,
        epoch: position?.epoch,
        offset: position?.offset,
        at: Date.now(),
        detail: `message ${n} of stream ${loss.stream} was acknowledged and never came (${where})`,
      });
    }
  }
  return { lostByLog, passedOver, offenders };
}

function whereInLog(log: readonly Entry[], stream: number, n: number, position: AckPosition): string {
  const stamp = new StampReader();
  const holds = log.some(({ data }) => {
    const bytes = Buffer.from(String(data), 'latin1');
    return stamp.read(bytes, 0) && stamp.stream === stream && stamp.n === n;
  });
  if (holds) return 'it is in the log';
  const other = log.some(({ offset }) => offset === position.offset);
  return other ? 'another message stands in the log at its position' : 'it is not in the log';
}

/** Reads the log around these positions through the API; `undefined` if it cannot be read. */
async function readLog(
  { apis, apiKey }: TargetPlan,
  channel: string,
  positions: readonly (AckPosition | undefined)[],
): Promise<Entry[] | undefined> {
  const offsets = positions.flatMap((position) => position?.offset ?? []);
  if (offsets.length === 0) return undefined;
  const from = Math.min(...offsets);
  const entries: Entry[] = [];
  let before: string | undefined;
  for (;;) {
    const page = await readPage(apis, apiKey, channel, before);
    if (!page) return undefined;
    entries.push(...page.messages);
    const first = page.messages[0];
    // A page of large messages ends early: only the answer says whether there are older ones.
    if (!first || first.offset <= from || !page.more) return entries;
    before = `${first.epoch}-${first.offset}`;
  }
}

async function readPage(
  apis: readonly string[],
  apiKey: string | undefined,
  channel: string,
  before: string | undefined,
): Promise<{ readonly messages: readonly Entry[]; readonly more: boolean } | undefined> {
  for (const api of apis) {
    try {
      const url = new URL('/v1/history', api);
      url.searchParams.set('channel', channel);
      url.searchParams.set('limit', String(PAGE));
      if (before !== undefined) url.searchParams.set('before', before);
      const headers = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
      const response = await fetch(url, { headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
      if (!response.ok) continue;
      return (await response.json()) as { messages: Entry[]; more: boolean };
    } catch {
      // The next gateway may be able to answer.
    }
  }
  return undefined;
}
