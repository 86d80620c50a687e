/** The counters of a gateway as metrics. No metric has a label for channel, user or address. */
import { CLOSE_CODES } from '@fanfare/protocol';
import type { FanOut, Stats } from '../stats.js';
import type { Instruments } from './instruments.js';

export function describeGateway(instruments: Instruments, stats: Stats): void {
  describeConnections(instruments, stats);
  describePublishing(instruments, stats);
  describeFanOut(instruments, stats);
  describeHealing(instruments, stats);
}

function describeConnections(is: Instruments, stats: Stats): void {
  is.gauge('fanfare_connections', 'Open WebSocket connections', () => stats.connections);
  is.counter('fanfare_connections_total', 'WebSocket connections accepted', () => stats.connectionsTotal);
  is.counter(
    'fanfare_connections_refused_total',
    'Connections closed at once because the process may not open more files',
    () => stats.refusedConnections,
  );
  is.counters('fanfare_upgrades_refused_total', 'WebSocket upgrades refused, by reason', ['reason'], () =>
    by(stats.refusedUpgrades),
  );
  is.counters('fanfare_closes_total', 'WebSocket connections closed, by close code', ['code'], () =>
    by(known(stats.closes)),
  );
  is.gauge('fanfare_subscriptions', 'Subscriptions of all connections', () => stats.subscriptions);
  is.gauge('fanfare_channels', 'Channels active on this gateway', () => stats.channels);
  is.counters(
    'fanfare_limits_hit_total',
    'Connections and publishes refused by a limit of the gateway, by its name',
    ['limit'],
    () => by(stats.limitsHit),
  );
  is.counters(
    'fanfare_controlled_connections_total',
    'Connections that calls of the API acted on, by call',
    ['call'],
    () => by(stats.controlled),
  );
  is.gauge(
    'fanfare_tls_certificate_end_seconds',
    'When the certificate ends that new connections are shown, seconds since the Unix epoch, where the gateway speaks TLS',
    () => stats.certificateEndSeconds || undefined,
    'min',
  );
  is.gauge(
    'fanfare_revocations',
    'Revoked users and tokens that this gateway knows of',
    () => stats.revocations,
    'max',
  );
  is.counter('fanfare_frames_received_total', 'Frames received from clients', () => stats.framesReceived);
  is.counter('fanfare_bytes_received_total', 'Bytes of frames received from clients', () => stats.bytesReceived);
  is.counter('fanfare_malformed_frames_total', 'Frames that were not of the protocol', () => stats.malformed);
  is.counter('fanfare_rate_limited_total', 'Commands refused because they came too fast', () => stats.rateLimited);
  is.counters('fanfare_errors_total', 'Error frames sent, by code', ['code'], () => by(stats.errors));
  is.counters('fanfare_http_responses_total', 'HTTP answers, by status', ['status'], () => by(stats.httpResponses));
}

function describePublishing(is: Instruments, stats: Stats): void {
  is.counters(
    'fanfare_published_total',
    'Messages acknowledged to publishers, by kind of channel and entrance',
    ['kind', 'via'],
    () => [...by(stats.publishedDurable, 'durable'), ...by(stats.publishedLive, 'live')],
  );
  is.counters('fanfare_published_bytes_total', 'Bytes of payloads of these messages, by entrance', ['via'], () =>
    by(stats.publishedBytes),
  );
  is.counter('fanfare_publish_duplicates_total', 'Publishes whose key was seen before', () => stats.duplicates);
  is.counters('fanfare_publish_failures_total', 'Publishes that failed, by code', ['code'], () =>
    by(stats.publishFailures),
  );
}

function describeFanOut(is: Instruments, stats: Stats): void {
  const sums = (name: string, help: string, of: keyof FanOut) =>
    is.counters(name, help, ['dialect'], () => Array.from(stats.fanOut, ([dialect, one]) => [[dialect], one[of]]));
  sums('fanfare_fanout_frames_total', 'Messages handed to the transport, once a dialect', 'messages');
  sums('fanfare_fanout_bytes_total', 'Bytes of frames handed to the transport, once a dialect', 'bytes');
  sums(
    'fanfare_deliveries_total',
    'Messages sent to clients by fan-out: each as often as it had subscribers',
    'deliveries',
  );
  sums('fanfare_delivered_bytes_total', 'Bytes of frames sent to clients by fan-out', 'deliveredBytes');
  is.seconds(
    'fanfare_publish_to_flush_seconds',
    'From the time of a message in the log to its hand-over to the transport, once a message',
    stats.flushLatency,
  );
  is.seconds(
    'fanfare_probe_seconds',
    'How long messages of the self-probe took, from the publish until the gateway had them back through the broker',
    stats.probeLatency,
  );
  is.counters(
    'fanfare_probe_failures_total',
    'Messages of the self-probe that did not come back in time: silent (stored, not pushed), unanswered, unsubscribed, refused, stalled',
    ['reason'],
    () => by(stats.probeFailures),
  );
  is.gauge(
    'fanfare_broker_clock_ahead_seconds',
    'How far the clock of the broker is ahead of this gateway, as the self-probe measured',
    () => stats.brokerClockAheadMs / 1000,
    'max',
  );
  is.counter('fanfare_lagged_total', 'Connections taken off their channels as too slow', () => stats.lagged);
  is.counter('fanfare_dropped_frames_total', 'Drops reported by the transport', () => stats.dropped);
  is.counter(
    'fanfare_feed_overflows_total',
    'Times a durable channel was published to faster than it could be sent, and went on from its log',
    () => stats.queueOverflows,
  );
  is.counter(
    'fanfare_live_dropped_total',
    'Messages of live channels dropped because they came faster than they could be sent',
    () => stats.liveDropped,
  );
}

function describeHealing(is: Instruments, stats: Stats): void {
  is.counter('fanfare_joins_total', 'Subscribes that joined a channel', () => stats.joins);
  is.counter('fanfare_joins_from_tail_total', 'Joins that needed no read of the log', () => stats.joinsFromTail);
  is.counter('fanfare_replay_pages_total', 'Pages of the log sent to clients', () => stats.replayPages);
  is.counter('fanfare_replayed_total', 'Messages sent to single clients that caught up', () => stats.replayed);
  is.counter('fanfare_resumes_recovered_total', 'Resumes without a hole', () => stats.resumesRecovered);
  is.counters('fanfare_resets_total', 'Resets told to clients, by reason', ['reason'], () => by(stats.resets));
  is.counter('fanfare_log_reads_total', 'Reads of the log', () => stats.logReads);
  is.counter('fanfare_repairs_total', 'Channels repaired from the log', () => stats.repairs);
  is.counter('fanfare_push_gaps_total', 'Pushed messages that did not follow the cursor', () => stats.pushGaps);
  is.counter('fanfare_audits_total', 'Comparisons of a channel with its log', () => stats.audits);
  is.counter(
    'fanfare_audit_findings_total',
    'Audits that found a silent loss; should stay 0',
    () => stats.auditFindings,
  );
  is.counter('fanfare_doubt_findings_total', 'Channels found behind while a slot moved', () => stats.doubtFindings);
}

/** The sums of a map, each with its key as a label, behind labels that are the same for all. */
function* by(sums: ReadonlyMap<unknown, number>, ...fixed: string[]): Iterable<[unknown[], number]> {
  for (const [value, sum] of sums) yield [[...fixed, value], sum];
}

/** Close codes that connections end with though nobody sends them, or for reasons of the protocol below (RFC 6455 section 7.4.1). */
const COMMON_CLOSE_CODES = [1002, 1003, 1005, 1006, 1007, 1009, 1011];

/**
 * The closes by those codes that mean something here, and all other codes as one, because a peer may close with any
 * code.
 */
function known(closes: ReadonlyMap<number, number>): Map<number | 'other', number> {
  const sums = new Map<number | 'other', number>();
  for (const [code, sum] of closes) {
    const label = code in CLOSE_CODES || COMMON_CLOSE_CODES.includes(code) ? code : 'other';
    sums.set(label, (sums.get(label) ?? 0) + sum);
  }
  return sums;
}
