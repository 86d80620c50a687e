import type { Report } from '../report/report.js';
import type { Contender, IntakeKind } from '../servers/contender.js';
import type { RedisServer } from '../servers/redis.js';

/** `healing` needs Redis in the path. */
export const SECTIONS = ['fan-out', 'in-flight', 'latency', 'channels', 'publishes', 'memory', 'healing'] as const;
export type Section = (typeof SECTIONS)[number];

/** How much a run measures, and for how long. */
export interface Plan {
  readonly rounds: number;
  /** Measurements of each server in a round. */
  readonly slices: number;
  /** Length of one measurement of deliveries, */
  readonly sliceMs: number;
  /** of one of latency, */
  readonly latencySliceMs: number;
  /** and of one of publishes: each begins with new connections. */
  readonly publishSliceMs: number;
  /** What a server does for the first time is done for this long before it is measured. */
  readonly firstWarmMs: number;
  readonly subscribers: number;
  readonly bursts: readonly number[];
  /** Messages that are published one by one and kept in flight. */
  readonly inFlight: readonly number[];
  /** Ways in which both servers are fed directly. */
  readonly intakes: readonly IntakeKind[];
  readonly connections: number;
  readonly channels: number;
  /** Channels of one gateway that loses Redis. */
  readonly healedChannels: number;
}

const NORMAL: Plan = {
  rounds: 3,
  slices: 4,
  sliceMs: 100,
  latencySliceMs: 700,
  publishSliceMs: 500,
  firstWarmMs: 1_500,
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

/** What each section gets. */
export interface Bench {
  readonly plan: Plan;
  readonly report: Report;
  readonly redis: RedisServer | undefined;
  /** Ends the run early: asked between two measurements. */
  readonly signal: AbortSignal;
  /** `nodeFlags`: further flags for Node. */
  startBaseline(nodeFlags?: readonly string[]): Promise<Contender>;
  startFanfare(nodeFlags?: readonly string[]): Promise<Contender>;
  /** Another gateway over the same Redis, on the clients' core: it stands for another machine. */
  startPublishingGateway(): Promise<Contender>;
}
