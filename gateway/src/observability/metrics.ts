/** `/metrics`: turns the plain counters of {@link Stats} into Prometheus text when it is asked. */
import { CLOSE_CODES } from '@fanfare/protocol';
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { Clock } from '../clock.js';
import type { Stats } from '../stats.js';

export interface MetricsOptions {
  readonly stats: Stats;
  readonly node: string;
  readonly version: string;
  /** Number of this process among the workers of the gateway, whose metrics are added up. */
  readonly worker?: number | undefined;
  /** Parts of the broker and whether they are `ok`, as in `Broker.health`. */
  readonly health: () => readonly { readonly shard: string; readonly state: 'ok' | 'lost' }[];
  /** Channels that stand still, by the part of the broker that serves them, as in `Hub.stalls`. Default: none. */
  readonly stalls?: () => readonly { readonly shard: string; readonly channels: number }[];
  /** What the broker counts by itself, as in `Broker.stats`. */
  readonly brokerStats?: (() => Readonly<Record<string, number>>) | undefined;
  /** What the broker's store refused, by reason, as in `Broker.refusals`. */
  readonly brokerRefusals?: (() => Readonly<Record<string, number>>) | undefined;
  /** What became of webhook events, as `EventQueue.stats`. `undefined`: nobody is told of any. */
  readonly webhookStats?: () =>
    | { readonly delivered: number; readonly dead: number; readonly dropped: number }
    | undefined;
  /** Lines that the log of this process lost so far. */
  readonly logLinesLost?: (() => number) | undefined;
}

export interface Metrics {
  readonly registry: Registry;
  readonly contentType: string;
  /** Prometheus text exposition. */
  text(): Promise<string>;
}

export function createMetrics(options: MetricsOptions): Metrics {
  const { stats, node, version, worker, health, brokerStats, brokerRefusals, webhookStats } = options;
  const { stalls = () => [], logLinesLost = () => 0 } = options;
  const registry = new Registry();
  registry.setDefaultLabels({ node });
  collectDefaultMetrics({ register: registry });

  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(read());
      },
    });
  const counter = (name: string, help: string, read: () => number) =>
    new Counter({
      name,
      help,
      registers: [registry],
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  const counters = <Label extends string>(
    name: string,
    help: string,
    label: Label,
    read: () => Iterable<[unknown, number]>,
  ) =>
    new Counter({
      name,
      help,
      labelNames: [label],
      registers: [registry],
      collect() {
        this.reset();
        for (const [value, sum] of read()) this.inc({ [label]: String(value) } as Record<Label, string>, sum);
      },
    });

  new Gauge({
    name: 'fanfare_info',
    help: 'Version of this gateway',
    labelNames: ['version'],
    aggregator: 'first',
    registers: [registry],
  }).set({ version }, 1);
  if (worker !== undefined) {
    new Gauge({
      name: 'fanfare_worker_connections',
      help: 'Open WebSocket connections of each worker',
      labelNames: ['worker', 'pid'],
      registers: [registry],
      collect() {
        this.set({ worker: String(worker), pid: String(process.pid) }, stats.connections);
      },
    });
  }
  gauge('fanfare_connections', 'Open WebSocket connections', () => stats.connections);
  counter('fanfare_connections_total', 'WebSocket connections accepted', () => stats.connectionsTotal);
  counter(
    'fanfare_connections_refused_total',
    'Connections closed at once because the process may not open more files',
    () => stats.refusedConnections,
  );
  counters(
    'fanfare_upgrades_refused_total',
    'WebSocket upgrades refused, by reason',
    'reason',
    () => stats.refusedUpgrades,
  );
  counters('fanfare_closes_total', 'WebSocket connections closed, by close code', 'code', () => known(stats.closes));
  gauge('fanfare_subscriptions', 'Subscriptions of all connections', () => stats.subscriptions);
  gauge('fanfare_channels', 'Channels active on this gateway', () => stats.channels);

  counters(
    'fanfare_limits_hit_total',
    'Connections and publishes refused by a limit of the gateway, by its name',
    'limit',
    () => stats.limitsHit,
  );
  counters(
    'fanfare_controlled_connections_total',
    'Connections that calls of the API acted on, by call',
    'call',
    () => stats.controlled,
  );
  gauge('fanfare_revocations', 'Revoked users and tokens that this gateway knows of', () => stats.revocations);

  counter('fanfare_frames_received_total', 'Frames received from clients', () => stats.framesReceived);
  counter('fanfare_bytes_received_total', 'Bytes of frames received from clients', () => stats.bytesReceived);
  counter('fanfare_malformed_frames_total', 'Frames that were not of the protocol', () => stats.malformed);
  counter('fanfare_rate_limited_total', 'Commands refused because they came too fast', () => stats.rateLimited);
  counters('fanfare_errors_total', 'Error frames sent, by code', 'code', () => stats.errors);

  new Counter({
    name: 'fanfare_published_total',
    help: 'Messages acknowledged to publishers',
    labelNames: ['kind', 'via'],
    registers: [registry],
    collect() {
      this.reset();
      for (const [via, sum] of stats.publishedDurable) this.inc({ kind: 'durable', via }, sum);
      for (const [via, sum] of stats.publishedLive) this.inc({ kind: 'live', via }, sum);
    },
  });
  counter('fanfare_publish_duplicates_total', 'Publishes whose key was seen before', () => stats.duplicates);
  counters('fanfare_publish_failures_total', 'Publishes that failed, by code', 'code', () => stats.publishFailures);

  counter('fanfare_fanout_frames_total', 'Messages handed to the transport, per dialect', () => stats.framesFlushed);
  counter('fanfare_fanout_bytes_total', 'Bytes of messages handed to the transport', () => stats.bytesFlushed);
  counter('fanfare_deliveries_total', 'Messages sent to clients by fan-out', () => stats.deliveries);
  counter('fanfare_lagged_total', 'Connections taken off their channels as too slow', () => stats.lagged);
  counter('fanfare_dropped_frames_total', 'Drops reported by the transport', () => stats.dropped);

  counter('fanfare_joins_total', 'Subscribes that joined a channel', () => stats.joins);
  counter('fanfare_joins_from_tail_total', 'Joins that needed no read of the log', () => stats.joinsFromTail);
  counter('fanfare_replay_pages_total', 'Pages of the log sent to clients', () => stats.replayPages);
  counter('fanfare_resumes_recovered_total', 'Resumes without a hole', () => stats.resumesRecovered);
  counters('fanfare_resets_total', 'Resets told to clients, by reason', 'reason', () => stats.resets);
  counter('fanfare_log_reads_total', 'Reads of the log', () => stats.logReads);
  counter('fanfare_repairs_total', 'Channels repaired from the log', () => stats.repairs);
  counter(
    'fanfare_feed_overflows_total',
    'Times a durable channel was published to faster than it could be sent, and went on from its log',
    () => stats.queueOverflows,
  );
  counter(
    'fanfare_live_dropped_total',
    'Messages of live channels dropped because they came faster than they could be sent',
    () => stats.liveDropped,
  );
  counter('fanfare_push_gaps_total', 'Pushed messages that did not follow the cursor', () => stats.pushGaps);
  counter('fanfare_audits_total', 'Comparisons of a channel with its log', () => stats.audits);
  counter('fanfare_audit_findings_total', 'Audits that found a silent loss; should stay 0', () => stats.auditFindings);
  counter('fanfare_doubt_findings_total', 'Channels found behind while a slot moved', () => stats.doubtFindings);

  counters('fanfare_http_responses_total', 'HTTP answers, by status', 'status', () => stats.httpResponses);
  counter('fanfare_log_lines_lost_total', 'Log lines that could not be written', logLinesLost);
  if (webhookStats) {
    counters('fanfare_webhook_events_total', 'Events that webhooks told, gave up or could not store', 'outcome', () => {
      const { delivered = 0, dead = 0, dropped = 0 } = webhookStats() ?? {};
      return Object.entries({ delivered, dead, dropped });
    });
  }
  if (brokerRefusals) {
    counters('fanfare_broker_refusals_total', 'Commands that Redis answered and refused, by reason', 'reason', () =>
      Object.entries(brokerRefusals()),
    );
  }
  if (brokerStats) {
    counters('fanfare_broker_events_total', 'What the broker engine went through, by kind', 'event', () =>
      Object.entries(brokerStats()),
    );
  }
  new Gauge({
    name: 'fanfare_broker_shard_ok',
    help: 'Whether a part of the broker can serve (1) or is lost (0)',
    labelNames: ['shard'],
    // Lost to one worker is lost to its clients.
    aggregator: 'min',
    registers: [registry],
    collect() {
      this.reset();
      for (const { shard, state } of health()) this.set({ shard }, state === 'ok' ? 1 : 0);
    },
  });
  new Gauge({
    name: 'fanfare_stalled_channels',
    help: 'Channels that have stood still for longer than a join may wait, by the part of the broker that serves them',
    labelNames: ['shard'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { shard } of health()) this.set({ shard }, 0);
      for (const { shard, channels } of stalls()) this.set({ shard }, channels);
    },
  });
  return { registry, contentType: registry.contentType, text: () => registry.metrics() };
}

/** Close codes that connections end with though nobody sends them, or for reasons of the protocol below (RFC 6455 section 7.4.1). */
const COMMON_CLOSE_CODES = [1002, 1003, 1005, 1006, 1007, 1009, 1011];

/** A peer may close with any code: those that mean something here, and all others as one. */
function known(closes: ReadonlyMap<number, number>): Map<number | 'other', number> {
  const sums = new Map<number | 'other', number>();
  for (const [code, sum] of closes) {
    const label = code in CLOSE_CODES || COMMON_CLOSE_CODES.includes(code) ? code : 'other';
    sums.set(label, (sums.get(label) ?? 0) + sum);
  }
  return sums;
}

/**
 * How old a told text may be, ms. Collecting takes about one: a flood of requests costs a hundredth of
 * the loop, and who looks closely still sees what happens when.
 */
const SHARED_MS = 100;

/** Anyone may ask for metrics, as often as they like: what one is told, or waits for, the others are told too. */
export function shared(text: () => Promise<string>, clock: Pick<Clock, 'now'>): () => Promise<string> {
  let latest: Promise<string> | undefined;
  let staleAt = 0;
  return () => {
    if (latest && clock.now() < staleAt) return latest;
    staleAt = Infinity;
    latest = text();
    const settle = (lastsMs: number) => () => {
      staleAt = clock.now() + lastsMs;
    };
    latest.then(settle(SHARED_MS), settle(0));
    return latest;
  };
}
