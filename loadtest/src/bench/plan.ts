import type { Report } from '../report/report.js';
import type { Contender, IntakeKind } from '../servers/contender.js';
import type { RedisServer } from '../servers/redis.js';

/** The sections in the order in which they run. `healing` needs Redis in the path. */
export const SECTIONS = ['fan-out', 'in-flight', 'latency', 'channels', 'publishes', 'memory', 'healing'] as const;
export type Section = (typeof SECTIONS)[number];

/** How much a run measures, and for how long. */
export interface Plan {
  readonly rounds: number;
  /** How many measurements of each server a round has. */
  readonly slices: number;
  /** Length of one measurement of deliveries, ms. */
  readonly sliceMs: number;
  /** Length of one measurement of latency, ms. */
  readonly latencySliceMs: number;
  /** Length of one measurement of publishes, ms. Each begins with new connections. */
  readonly publishSliceMs: number;
  /** How long a server is warmed up with what it does for the first time, before that is measured, ms. */
  readonly firstWarmMs: number;
  /**
   * How long a server is warmed up before single publishes are measured, ms. V8 goes on for long to compile their path,
   * on the core of the server.
   */
  readonly longWarmMs: number;
  readonly subscribers: number;
  readonly bursts: readonly number[];
  /** How many messages are kept in flight when they are published one by one: a case for each number. */
  readonly inFlight: readonly number[];
  /** The ways in which both servers are fed directly. */
  readonly intakes: readonly IntakeKind[];
  readonly connections: number;
  readonly channels: number;
  /** How many channels the gateway has that loses Redis. */
  readonly healedChannels: number;
}

const NORMAL: Plan = {
  rounds: 3,
  slices: 4,
  sliceMs: 100,
  latencySliceMs: 700,
  publishSliceMs: 500,
  firstWarmMs: 1_500,
  longWarmMs: 10_000,
  subscribers: 1_000,
  bursts: [1, 8, 32, 128],
  inFlight: [1, 8, 32, 128, 512],
  intakes: ['http'],
  connections: 10_000,
  channels: 1_000,
  healedChannels: 20_000,
};

export const PLANS = {
  quick: {
    ...NORMAL,
    rounds: 1,
    firstWarmMs: 150,
    longWarmMs: 150,
    publishSliceMs: 100,
    bursts: [1, 32],
    inFlight: [1, 32],
    connections: 2_000,
    channels: 200,
    healedChannels: 2_000,
  },
  normal: NORMAL,
  full: { ...NORMAL, slices: 10, bursts: [1, 8, 32, 128, 1_000], intakes: ['http', 'websocket'] },
} satisfies Record<string, Plan>;

/** What each section is given. */
export interface Bench {
  readonly plan: Plan;
  readonly report: Report;
  readonly redis: RedisServer | undefined;
  /** Ends the run early. Sections look at it between two measurements. */
  readonly signal: AbortSignal;
  /** Starts the baseline. `nodeFlags` are further flags for Node. */
  startBaseline(nodeFlags?: readonly string[]): Promise<Contender>;
  startFanfare(nodeFlags?: readonly string[]): Promise<Contender>;
  /** Starts another gateway over the same Redis, on the clients' core. It stands for another machine. */
  startPublishingGateway(): Promise<Contender>;
}
