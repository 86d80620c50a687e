/**
 * Clients of one durable channel whose sockets are cut and whose readers freeze, and the ledger of
 * every acknowledged message against what each of them received.
 */
import { randomBytes } from 'node:crypto';
import { Crowd, type CrowdOutcome } from './crowd.js';
import { startOwnGateway } from './gateway.js';
import { type Sample, watchMetrics } from './gateway-metrics.js';
import { addCounts } from './ledger.js';
import { type PublishingOutcome, publishSteadily } from './publishing.js';
import type { TroublePlan } from './trouble.js';

export interface SurvivePlan {
  /** Of a gateway that runs already, `ws:`; absent: one of our own, with a memory broker. */
  readonly url?: string | undefined;
  /** Of our own gateway. */
  readonly transport: 'uws' | 'ws';
  readonly clients: number;
  readonly seconds: number;
  /** Messages a second. */
  readonly perSecond: number;
  /** Mean length of a message. */
  readonly meanBytes: number;
  /** Threads that the clients are spread over. */
  readonly threads: number;
  readonly trouble: TroublePlan;
}

export interface SurviveOutcome {
  readonly publishing: PublishingOutcome;
  readonly crowd: CrowdOutcome;
  /** The gateway's metrics, about one a second; empty if it does not tell. */
  readonly samples: readonly Sample[];
  /** Lines of the gateway's log that tell of trouble, if it is ours. */
  readonly complaints: readonly string[];
}

/** Room for everybody to come back: no client is away for as long as the log reaches. */
const HISTORY_FACTOR = 2;
const LARGEST_TO_MEAN = 5;
const ENVELOPE_BYTES = 1024;
const FRAME_OVERHEAD_BYTES = 8 * 1024;
const BUFFERED_BYTES = 64 * 1024;

export async function survive(plan: SurvivePlan): Promise<SurviveOutcome> {
  const messages = Math.ceil(plan.seconds * plan.perSecond);
  const { url: external, transport } = plan;
  const messageBytes = LARGEST_TO_MEAN * plan.meanBytes + ENVELOPE_BYTES;
  const gateway =
    external === undefined
      ? await startOwnGateway({
          transport,
          history: HISTORY_FACTOR * messages,
          messageBytes,
          bufferedBytes: Math.max(BUFFERED_BYTES, messageBytes + FRAME_OVERHEAD_BYTES),
        })
      : undefined;
  const url = external ?? (gateway?.url as string);
  const channel = `demo:survive-${randomBytes(4).toString('hex')}`;
  const crowds = Array.from(
    { length: plan.threads },
    (_, thread) =>
      new Crowd({
        url,
        channel,
        clients: Math.floor((plan.clients + thread) / plan.threads),
        capacity: messages,
        meanBytes: plan.meanBytes,
        trouble: plan.trouble,
      }),
  );
  try {
    await Promise.all(crowds.map((crowd) => crowd.subscribe()));
    const endWatch = watchMetrics(url);
    await Promise.all(crowds.map((crowd) => crowd.makeTrouble()));
    const publishing = await publishSteadily({ ...plan, url, channel, messages });
    const outcomes = await Promise.all(crowds.map((crowd) => crowd.finish(publishing.acknowledged)));
    const samples = await endWatch();
    return {
      publishing,
      crowd: outcomes.reduce(addOutcomes),
      samples,
      complaints: gateway?.complaints() ?? [],
    };
  } finally {
    await Promise.all(crowds.map((crowd) => crowd.close()));
    await gateway?.stop();
  }
}

function addOutcomes(a: CrowdOutcome, b: CrowdOutcome): CrowdOutcome {
  return {
    balance: addCounts(a.balance, b.balance),
    stats: addCounts(a.stats, b.stats),
    cuts: a.cuts + b.cuts,
    freezes: a.freezes + b.freezes,
    errors: addMaps(a.errors, b.errors),
  };
}

function addMaps(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  return new Map([...a, ...[...b].map(([key, value]) => [key, value + (a.get(key) ?? 0)] as const)]);
}
