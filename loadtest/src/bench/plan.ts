import type { Report } from '../report/report.js';
import type { BenchChannel, Contender, IntakeKind, ServerOptions } from '../servers/contender.js';
import type { RedisServer } from '../servers/redis.js';

/** The sections in the order in which they run, and what they measure. */
export const SECTIONS = {
  'fan-out': 'bursts to 1,000 subscribers, each burst in one request',
  'in-flight': 'messages one by one, a frame each, by one WebSocket publisher; n in flight',
  latency: 'of messages one by one, 50,000 deliveries/s',
  channels: '10,000 connections over 1,000 channels, published one by one; with --redis also by another gateway',
  publishes: 'durable ones over HTTP, acknowledged, without subscribers',
  memory: 'of idle connections',
  healing: 'of 20,000 channels that were cut off from Redis (needs --redis)',
  publishers: 'messages one by one by eight WebSocket publishers, and one a request over HTTP; n in flight',
  workers: 'one WebSocket publisher to a gateway of two workers; n in flight (needs --redis)',
  apart: 'one WebSocket publisher to another gateway; n in flight (needs --redis)',
  'open-loop': 'the highest rate of messages that is sustained',
  joins: 'joins, resumes and accepted connections a second, and latency of everyone else meanwhile',
} as const;
export type Section = keyof typeof SECTIONS;

/** The sections that take long. They run with `--full`, or when they are named. */
export const LONG_SECTIONS: readonly Section[] = ['publishers', 'workers', 'apart', 'open-loop', 'joins'];

export const DURABLE: BenchChannel = { name: 'bench', durable: true };
const LIVE: BenchChannel = { name: 'live:bench', durable: false };
/** How long a run goes on before the measured ones, ms, while code gets compiled and buffers grow. */
export const WARM_MS = 150;

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
  /** The channels on which fan-out and messages in flight are measured. */
  readonly fanoutChannels: readonly BenchChannel[];
  readonly bursts: readonly number[];
  /** How many messages are kept in flight when they are published one by one: a case for each number. */
  readonly inFlight: readonly number[];
  /** The same, for ways of publishing other than one WebSocket. */
  readonly inFlightOtherwise: readonly number[];
  /** Length of a step of a rising rate, and of the latency without joins, ms. */
  readonly stepMs: number;
  /** The rates of steps go no higher, messages a second. */
  readonly highestRate: number;
  /** How many channels are joined. */
  readonly joinedChannels: number;
  /** How many clients come back at once. */
  readonly resumes: number;
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
  fanoutChannels: [DURABLE, LIVE],
  bursts: [1, 8, 32, 128],
  inFlight: [1, 8, 32, 128, 512],
  inFlightOtherwise: [8, 32, 128],
  stepMs: 1_000,
  highestRate: 50_000,
  joinedChannels: 5_000,
  resumes: 10_000,
  intakes: ['http'],
  connections: 10_000,
  channels: 1_000,
  healedChannels: 20_000,
};

export const PLANS = {
  quick: {
    ...NORMAL,
    rounds: 1,
    slices: 2,
    subscribers: 250,
    fanoutChannels: [DURABLE],
    firstWarmMs: 150,
    longWarmMs: 150,
    publishSliceMs: 100,
    bursts: [1, 32],
    inFlight: [1, 32],
    inFlightOtherwise: [32],
    stepMs: 100,
    highestRate: 750,
    joinedChannels: 200,
    resumes: 200,
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
  startBaseline(more?: Pick<ServerOptions, 'nodeFlags'>): Promise<Contender>;
  startFanfare(more?: Pick<ServerOptions, 'nodeFlags' | 'workers'>): Promise<Contender>;
  /** Starts another gateway over the same Redis, on the clients' core. It stands for another machine. */
  startPublishingGateway(): Promise<Contender>;
}
