import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

const cost = z.number().nonnegative();

/** CPU time and bytes that a Redis master spends; a share of a fleet's load has the same shape. */
const redisCosts = z.object({
  /** Every second, without a gateway. */
  second: cost,
  /** For each gateway connected to it, every second: heartbeats, the map of the cluster. */
  gatewaySecond: cost,
  /** For each publish: the script, and its reply. */
  publish: cost,
  /** For each gateway that has subscribers on the channel of a publish. */
  push: cost,
  /** For each channel alive on each gateway, every second: the audit of its cursor. */
  channelSecond: cost,
});

const costsSchema = z.object({
  measuredOn: z.object({
    at: z.string(),
    machine: z.string(),
    node: z.string(),
    redis: z.string(),
    command: z.string(),
  }),
  /** Of a gateway, in microseconds of CPU time. */
  gatewayUs: z.object({
    /** Every second, connected to Redis, without a connection or a channel. */
    second: cost,
    /** For each connection, every second: pings. */
    connectionSecond: cost,
    /** For each channel alive on it, every second. */
    channelSecond: cost,
    /** For each publish that it takes. */
    publish: cost,
    /** For each message pushed to it by Redis. */
    push: cost,
    /** For each subscriber to whom a message leaves, as a write of its own. */
    delivery: cost,
    /** For each time that it slept until something came: caches are cold, and what came came alone. */
    wakeup: cost,
  }),
  /** Resident memory of a gateway, garbage collected. */
  gatewayBytes: z.object({ process: cost, connection: cost, subscription: cost, channel: cost }),
  /** What a gateway writes to one subscriber for one message. */
  deliveryBytes: cost,
  redisUs: redisCosts,
  redisOutputBytes: redisCosts,
  /** The fit of the costs of publish, push and delivery: the mean of what single runs were off, as a share. */
  fitError: z.object({ gatewayUs: cost, redisUs: cost, redisOutputBytes: cost }),
});

/** What things cost, as `fanfare-load sizing measure` writes it. */
export type Costs = z.infer<typeof costsSchema>;
export type RedisCosts = z.infer<typeof redisCosts>;

/** Those measured for `docs/SIZING.md`, which come with this package. */
export const SHIPPED_COSTS = fileURLToPath(new URL('../../costs.json', import.meta.url));

/** @throws if the file cannot be read, or is not what `sizing measure` writes */
export function readCosts(file: string): Costs {
  const parsed = costsSchema.safeParse(JSON.parse(readFileSync(file, 'utf8')));
  if (!parsed.success) throw new Error(`${file} holds no costs:\n${z.prettifyError(parsed.error)}`);
  return parsed.data;
}
