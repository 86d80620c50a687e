/**
 * What a gateway counts: plain numbers, incremented where things happen (`stats.commands++`) and read when `/metrics`
 * is asked. It imports next to nothing, so that every layer may count.
 */
import type { ErrorCode, ResetReason } from '@fanfare/protocol';
import { Histogram, LATENCY_BOUNDS_MS } from './histogram.js';

export interface Stats {
  // --- connections ---
  /** Open WebSocket connections now. */
  connections: number;
  /** Connections ever accepted. */
  connectionsTotal: number;
  /** Connections that were closed at once because the process could not hold more. */
  refusedConnections: number;
  /** WebSocket upgrades that were refused, by reason. */
  readonly refusedUpgrades: Map<string, number>;
  /** Closed connections by close code. */
  readonly closes: Map<number, number>;
  /** Subscriptions of all connections now. */
  subscriptions: number;
  // --- commands ---
  /** Frames received from clients, pongs included. */
  framesReceived: number;
  bytesReceived: number;
  /** Frames that were no frame of the protocol. */
  malformed: number;
  /** Commands refused because they came too fast. */
  rateLimited: number;
  /** `error` frames sent, by code. */
  readonly errors: Map<ErrorCode, number>;
  // --- publishing: messages acknowledged ---
  /** Messages that were published to durable channels and acknowledged, by entrance (`ws`, `http` and others). */
  readonly publishedDurable: Map<string, number>;
  /** Messages that were published to live channels and acknowledged, by entrance. */
  readonly publishedLive: Map<string, number>;
  /** Bytes of the payloads of published messages, by entrance. */
  readonly publishedBytes: Map<string, number>;
  /** Publishes that were answered with an earlier position, because their key had been seen. */
  duplicates: number;
  /** Publishes that failed, by code; all entrances together. */
  readonly publishFailures: Map<ErrorCode, number>;
  // --- fan-out ---
  /** What left for clients by fan-out, by dialect. */
  readonly fanOut: Map<string, FanOut>;
  /** From the time of a message in the log to its flush, ms. */
  readonly flushLatency: Histogram;
  /** How long self-probes took until they were read back, ms. */
  readonly probeLatency: Histogram;
  /** Self-probes that were not read back, by what became of them. */
  readonly probeFailures: Map<string, number>;
  /** How far the clock of the broker is ahead of this gateway's, ms, as the self-probe measured. */
  brokerClockAheadMs: number;
  /** Times a durable channel was published to faster than it could be sent, and went on from its log. */
  queueOverflows: number;
  /** Messages of live channels that were dropped for everybody, because they came faster than they could be sent. */
  liveDropped: number;
  // --- slow readers ---
  /** Times a connection was taken off its channels because it read too slowly. */
  lagged: number;
  /** Drops that the transport reported. */
  dropped: number;
  // --- joining and healing ---
  joins: number;
  /** Joins and resumes that needed no read of the log. */
  joinsFromTail: number;
  /** Pages of the log sent to clients that caught up. */
  replayPages: number;
  /** Messages sent to single clients that caught up. */
  replayed: number;
  /** Subscribes with `since` that continued without a hole. */
  resumesRecovered: number;
  /** Resumes and replays that had to tell a reset, by reason. */
  readonly resets: Map<ResetReason, number>;
  /** Channels active on this gateway now. */
  channels: number;
  /** Reads of the log asked of the broker. */
  logReads: number;
  /** Times a channel repaired itself from the log, to the end. */
  repairs: number;
  /** Pushed records that did not follow the cursor: another epoch, or something before them was missed. */
  pushGaps: number;
  audits: number;
  /** Audits that found a channel behind its log without knowing it. Should stay 0. */
  auditFindings: number;
  /** Channels found behind while the engine was in doubt (a slot moves). */
  doubtFindings: number;
  /** Connections and publishes refused by a limit of the gateway, by its name. */
  readonly limitsHit: Map<string, number>;
  // --- control ---
  /** Connections that the API disconnected, unsubscribed, refreshed or revoked, by call. */
  readonly controlled: Map<string, number>;
  /** Revocations that hold now. */
  revocations: number;
  /** When the certificate ends that new connections are shown, seconds since the Unix epoch; 0 where TLS ends elsewhere. */
  certificateEndSeconds: number;
  // --- HTTP ---
  /** Answers by status. */
  readonly httpResponses: Map<number, number>;
}

/** What left for clients in one dialect. */
export interface FanOut {
  /** Messages handed to the transport. */
  messages: number;
  bytes: number;
  /** Messages times the subscribers that they were sent to. */
  deliveries: number;
  deliveredBytes: number;
}

/** The entrances that every gateway has. Their counters are there as 0 before the first publish. */
const ENTRANCES: readonly (readonly [entrance: string, published: number])[] = [
  ['ws', 0],
  ['http', 0],
];

const DIALECTS = ['json', 'msgpack', 'compact'];

export function createStats(): Stats {
  return {
    connections: 0,
    connectionsTotal: 0,
    refusedConnections: 0,
    refusedUpgrades: new Map(),
    closes: new Map(),
    subscriptions: 0,
    framesReceived: 0,
    bytesReceived: 0,
    malformed: 0,
    rateLimited: 0,
    errors: new Map(),
    publishedDurable: new Map(ENTRANCES),
    publishedLive: new Map(ENTRANCES),
    publishedBytes: new Map(ENTRANCES),
    duplicates: 0,
    publishFailures: new Map(),
    fanOut: new Map(DIALECTS.map((dialect) => [dialect, noFanOut()])),
    flushLatency: new Histogram(LATENCY_BOUNDS_MS),
    probeLatency: new Histogram(LATENCY_BOUNDS_MS),
    probeFailures: new Map(),
    brokerClockAheadMs: 0,
    queueOverflows: 0,
    liveDropped: 0,
    lagged: 0,
    dropped: 0,
    joins: 0,
    joinsFromTail: 0,
    replayPages: 0,
    replayed: 0,
    resumesRecovered: 0,
    resets: new Map(),
    channels: 0,
    logReads: 0,
    repairs: 0,
    pushGaps: 0,
    audits: 0,
    auditFindings: 0,
    doubtFindings: 0,
    limitsHit: new Map(),
    controlled: new Map(),
    revocations: 0,
    certificateEndSeconds: 0,
    httpResponses: new Map(),
  };
}

/** Adds one, or `by`, under a key. */
export function count<Key>(counts: Map<Key, number>, key: Key, by = 1): void {
  counts.set(key, (counts.get(key) ?? 0) + by);
}

/** The counters of a dialect. */
export function fanOutOf({ fanOut }: Pick<Stats, 'fanOut'>, dialect: string): FanOut {
  let sums = fanOut.get(dialect);
  if (!sums) {
    sums = noFanOut();
    fanOut.set(dialect, sums);
  }
  return sums;
}

function noFanOut(): FanOut {
  return { messages: 0, bytes: 0, deliveries: 0, deliveredBytes: 0 };
}
