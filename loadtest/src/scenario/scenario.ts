import { z } from 'zod';
import { MAX_PAYLOAD_BYTES, MIN_PAYLOAD_BYTES } from '../audit/payload.js';

/** A duration such as `"500ms"`, `"30s"`, `"5m"` or `"1h"`, or a number of seconds. It is read as ms. */
const duration = z
  .union([
    z.number().nonnegative(),
    z.string().regex(/^\d+(\.\d+)?(ms|s|m|h)$/, 'takes a time such as "500ms", "30s" or "5m"'),
  ])
  .transform((value) => (typeof value === 'number' ? value * 1000 : durationMs(value)));

const UNITS_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;

function durationMs(text: string): number {
  const [, value, unit] = /^([\d.]+)(ms|s|m|h)$/.exec(text) as RegExpExecArray;
  return Number(value) * UNITS_MS[unit as keyof typeof UNITS_MS];
}

const count = z.number().int().positive();
const share = z.number().min(0).max(1);
const bytes = z
  .number()
  .int()
  .min(MIN_PAYLOAD_BYTES, `takes ${MIN_PAYLOAD_BYTES} bytes or more`)
  .max(MAX_PAYLOAD_BYTES);

const sizes = z.union([
  bytes,
  z.strictObject({ min: bytes, max: bytes }),
  z.strictObject({ mean: bytes, deviation: z.number().nonnegative() }),
  z.strictObject({ choices: z.array(z.strictObject({ size: bytes, weight: z.number().positive() })).min(1) }),
]);

const publish = z
  .strictObject({
    /**
     * How messages are published. `http`: one request for each message; `http-batch`: one request for a batch;
     * `websocket`: one frame for each message; `sdk`: by clients of the SDK.
     */
    by: z.enum(['http', 'http-batch', 'websocket', 'sdk']).default('websocket'),
    /** Open model: how many messages per second are published by a schedule, on all channels of the group in turn. */
    rate: z.number().positive().optional(),
    /**
     * Closed model: how many messages of a channel are under way, which one of its subscribers has not received yet.
     */
    inFlight: count.optional(),
    /** Sizes of payloads, in bytes of JSON text. */
    size: sizes.default(256),
    /** Most messages of one request, for `http-batch`. */
    batch: count.max(1000).default(100),
    /** How many connections publish. Default 8 for `http`, 4 for `http-batch` and `sdk`, 1 for `websocket`. */
    connections: count.max(1000).optional(),
    /**
     * Whether every message has a key and is repeated, at every gateway in turn, until it is acknowledged. By HTTP
     * only.
     */
    sure: z.boolean().default(false),
    /**
     * How safe a message has to be before it is acknowledged. `replicated`: each message waits until the replicas have
     * it too.
     */
    durability: z.enum(['stored', 'replicated']).default('stored'),
  })
  .refine(({ rate, inFlight }) => (rate === undefined) !== (inFlight === undefined), {
    message: 'needs either rate (open model) or inFlight (closed model)',
  })
  .refine(({ by, sure }) => !sure || by === 'http' || by === 'http-batch', {
    message: 'sure needs by: http or http-batch',
  });

const group = z.strictObject({
  /** How many connections the group has at full load. */
  connections: count,
  /**
   * How many channels the group has. They are spread evenly over the connections. `own`: each connection has a channel
   * of its own.
   */
  channels: z.union([count, z.literal('own')]).default(1),
  channelsPerConnection: count.max(1000).default(1),
  /** Whether the channels are durable. It has to agree with the namespace. */
  durable: z.boolean().default(true),
  /**
   * Namespace of the channels. Default: `demo` for durable channels and `live` for live ones, as a gateway in
   * development has them.
   */
  namespace: z
    .string()
    .regex(/^[\w.-]+$/)
    .optional(),
  /** What subscribes: `raw` is a socket with the least that a client needs, `sdk` is the SDK. */
  client: z.enum(['raw', 'sdk']).default('raw'),
  /** The dialect of the connections. `compact` is what the SDK takes by itself. */
  dialect: z.enum(['compact', 'json', 'msgpack']).default('compact'),
  /** Whether the connections are members of their channels, and hear of each other. */
  presence: z.boolean().default(false),
  publish: publish.optional(),
  /** A share of the readers stops reading for a time, again and again. */
  slow: z.strictObject({ share, stall: duration, every: duration }).optional(),
  /** A share of the connections leaves every second, and comes anew. */
  churn: z.strictObject({ perSecond: share }).optional(),
  /** A share of the connections is cut at once, and comes back. `at` says when, as a share of the longest stage. */
  storm: z.strictObject({ at: share.default(0.4), share: share.default(1) }).optional(),
});

const stage = z.strictObject({
  /**
   * How long the stage lasts. Load changes evenly over this time. 0: it changes at once, and the next stage waits until
   * all are connected.
   */
  duration,
  /** The load at the end of the stage: a share of the connections and of the rates, 0 to 1. */
  load: share.default(1),
  /** Whether messages are published during the stage. */
  publish: z.boolean().default(true),
});

const scenarioSchema = z.strictObject({
  name: z.string().min(1),
  description: z.string().default(''),
  stages: z.array(stage).min(1).optional(),
  groups: z.record(z.string().regex(/^[\w-]+$/), group).refine((groups) => Object.keys(groups).length > 0, {
    message: 'needs at least one group',
  }),
});

/** The content of a scenario file. */
export type ScenarioInput = z.input<typeof scenarioSchema>;
export type Group = z.output<typeof group>;
export type Publish = z.output<typeof publish>;
export type Stage = z.output<typeof stage>;
export interface Scenario {
  readonly name: string;
  readonly description: string;
  readonly stages: readonly Stage[];
  readonly groups: Readonly<Record<string, Group>>;
}

const HOLD_MS = 20_000;
const DEFAULT_STAGES: readonly Stage[] = [
  { duration: 0, load: 1, publish: false },
  { duration: HOLD_MS, load: 1, publish: true },
];

/**
 * Returns the scenario as it is, with its type checked. For scenarios in TypeScript:
 * `export default defineScenario({ … })`.
 */
export function defineScenario(scenario: ScenarioInput): ScenarioInput {
  return scenario;
}

/** Checks a scenario, and fills in its defaults. @throws {z.ZodError} */
export function resolveScenario(input: unknown): Scenario {
  const scenario = scenarioSchema.parse(input);
  return { ...scenario, stages: scenario.stages ?? DEFAULT_STAGES };
}

/** The scenario with another length of its longest stage, which `--duration` sets. */
export function withDuration(scenario: Scenario, durationMs: number | undefined): Scenario {
  if (durationMs === undefined) return scenario;
  const longest = scenario.stages.reduce((a, b) => (b.duration > a.duration ? b : a));
  const stages = scenario.stages.map((one) => (one === longest ? { ...one, duration: durationMs } : one));
  return { ...scenario, stages };
}

export function channelCount({ channels, connections, channelsPerConnection }: Group): number {
  return channels === 'own' ? connections * channelsPerConnection : channels;
}
