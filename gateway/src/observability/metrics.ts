/** `/metrics`: turns what a gateway counts into Prometheus text when it is asked. */
import { collectDefaultMetrics, Registry } from 'prom-client';
import type { Clock } from '../clock.js';
import type { Stats } from '../stats.js';
import { EventLoopWatch } from './event-loop.js';
import { describeGateway } from './gateway-metrics.js';
import { Instruments } from './instruments.js';

interface MetricsOptions extends MetricsSources {
  readonly stats: Stats;
  readonly node: string;
  readonly version: string;
  /** Number of this process among the workers of the gateway. Metrics of all workers are added up. */
  readonly worker?: number | undefined;
}

/** What the parts of a gateway count or know. They are asked at each scrape. */
interface MetricsSources {
  /** Parts of the broker and whether they are `ok`, as in `Broker.health`. */
  readonly health: () => readonly { readonly shard: string; readonly state: 'ok' | 'lost' }[];
  /** Parts of the broker that are probed, and whether probes come back, as `SelfProbe.states`. Default: none. */
  readonly probes?: () => readonly { readonly shard: string; readonly isUp: boolean }[];
  /** Channels that stand still, by the part of the broker that serves them, as in `Hub.stalls`. Default: none. */
  readonly stalls?: () => readonly { readonly shard: string; readonly channels: number }[];
  /** What the broker counts by itself, as in `Broker.stats`. */
  readonly brokerStats?: (() => Readonly<Record<string, number>>) | undefined;
  /** What the broker's store refused, by reason, as in `Broker.refusals`. */
  readonly brokerRefusals?: (() => Readonly<Record<string, number>>) | undefined;
  /** What became of webhook events, as in `EventQueue.stats`; `undefined` if there are no webhooks. */
  readonly webhookStats?: () =>
    | { readonly delivered: number; readonly dead: number; readonly dropped: number }
    | undefined;
  /** Other services that the gateway asks, by name, and whether they answer. Default: none. */
  readonly services?: () => readonly { readonly service: string; readonly isUp: boolean }[];
  /** How many keys of the JWKS URL are at hand; `undefined` if no URL is configured. */
  readonly jwksKeys?: () => number | undefined;
  /** How many lines the log of this process has lost so far. */
  readonly logLinesLost?: (() => number) | undefined;
}

interface Metrics {
  readonly registry: Registry;
  readonly contentType: string;
  /** All metrics in the text format of Prometheus. */
  text(): Promise<string>;
}

/** How the metrics of one worker become those of the gateway that it is a part of. */
export interface WorkerMetrics {
  /** Number of this process among the workers, counted from 1. */
  readonly index: number;
  /** Name of the gateway that the workers make up. It is in the metrics of all of them. */
  readonly node: string;
  /** Turns the metrics of this worker into those of all workers. */
  readonly share: (registry: Registry) => () => Promise<string>;
}

/** The metric of the process that adds up the metrics of several workers. */
export const WORKERS_MISSING = {
  name: 'fanfare_workers_missing',
  help: 'Workers that the other metrics are without: they start, hang or are dead',
} as const;

export function createMetrics({ stats, node, version, worker, ...sources }: MetricsOptions): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ node });
  collectDefaultMetrics({ register: registry });
  const instruments = new Instruments(registry);
  instruments.gauges('fanfare_info', 'Version of this gateway', ['version'], () => [[[version], 1]], 'first');
  if (worker !== undefined) {
    instruments.gauges(
      'fanfare_worker_connections',
      'Open WebSocket connections of each worker',
      ['worker', 'pid'],
      () => [[[worker, process.pid], stats.connections]],
    );
  }
  describeGateway(instruments, stats);
  describeBroker(instruments, sources);
  describeServices(instruments, sources);
  describeProcess(instruments, sources);
  return { registry, contentType: registry.contentType, text: () => registry.metrics() };
}

/**
 * The metrics of a gateway as anyone may ask for them, see {@link shared}.
 * @param worker set if this process is one of several; the metrics are then those of all workers
 */
export function createSharedMetrics(
  options: MetricsOptions,
  worker: WorkerMetrics | undefined,
  clock: Pick<Clock, 'now'>,
): Omit<Metrics, 'registry'> {
  if (!worker) {
    const { contentType, text } = createMetrics(options);
    return { contentType, text: shared(text, clock) };
  }
  const { registry, contentType } = createMetrics({ ...options, node: worker.node, worker: worker.index });
  return { contentType, text: shared(worker.share(registry), clock) };
}

function describeBroker(is: Instruments, sources: MetricsSources): void {
  const {
    health,
    probes = () => [],
    stalls = () => [],
    brokerRefusals = () => ({}),
    brokerStats = () => ({}),
  } = sources;
  is.gauges(
    'fanfare_broker_shard_ok',
    'Whether a part of the broker can serve (1) or is lost (0)',
    ['shard'],
    () => health().map(({ shard, state }) => [[shard], state === 'ok' ? 1 : 0]),
    // A part that is lost to one worker is lost to the clients of that worker.
    'min',
  );
  is.gauges(
    'fanfare_probe_ok',
    'Whether messages of the self-probe come back from a part of the broker (1), or several in a row did not (0)',
    ['shard'],
    () => probes().map(({ shard, isUp }) => [[shard], isUp ? 1 : 0]),
    'min',
  );
  is.gauges(
    'fanfare_stalled_channels',
    'Channels that have stood still for longer than a join may wait, by the part of the broker that serves them',
    ['shard'],
    () => [
      ...health().map(({ shard }) => [[shard], 0] as const),
      ...stalls().map(({ shard, channels }) => [[shard], channels] as const),
    ],
  );
  is.counters('fanfare_broker_refusals_total', 'Commands that Redis answered and refused, by reason', ['reason'], () =>
    named(brokerRefusals()),
  );
  is.counters('fanfare_broker_events_total', 'What the broker engine went through, by kind', ['event'], () =>
    named(brokerStats()),
  );
}

function describeServices(is: Instruments, sources: MetricsSources): void {
  const { services = () => [], jwksKeys = () => undefined, webhookStats = () => undefined } = sources;
  is.gauges(
    'fanfare_service_up',
    'Whether a service that the gateway asks answers (1) or not (0): jwks, auth_hook, webhooks; those configured',
    ['service'],
    () => services().map(({ service, isUp }) => [[service], isUp ? 1 : 0]),
    'min',
  );
  is.gauge('fanfare_jwks_keys', 'Keys at hand of the JWKS URL, if one is configured', jwksKeys, 'min');
  is.counters(
    'fanfare_webhook_events_total',
    'Events that webhooks told, gave up or could not store, if there are webhooks',
    ['outcome'],
    () => {
      const { delivered, dead, dropped } = webhookStats() ?? {};
      return delivered === undefined ? [] : named({ delivered, dead, dropped });
    },
  );
}

function describeProcess(is: Instruments, { logLinesLost = () => 0 }: MetricsSources): void {
  const loop = new EventLoopWatch(performance);
  is.gauges(
    'fanfare_event_loop_delay_seconds',
    'How late the event loop is, by quantile, over the last ten seconds',
    ['quantile'],
    () => loop.delays(),
    'max',
  );
  is.counter(
    'fanfare_event_loop_busy_seconds_total',
    'Time that the event loop had something to do: its rate is the load of the core, 1 at most',
    () => loop.busySeconds,
  );
  is.counter('fanfare_log_lines_lost_total', 'Log lines that could not be written', logLinesLost);
}

function named(sums: Readonly<Record<string, number | undefined>>): (readonly [[string], number])[] {
  return Object.entries(sums).map(([name, sum = 0]) => [[name], sum]);
}

/**
 * How old the text may be, ms. Collecting takes about 1 ms, so a flood of requests costs a hundredth of the event loop,
 * and somebody who looks closely still sees when things happen.
 */
const SHARED_MS = 100;

/**
 * Shares texts between callers, because anyone may ask for metrics as often as they like: all who ask within a short
 * time get the same text.
 */
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
