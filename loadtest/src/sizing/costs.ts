import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

const cost = z.number().nonnegative();

/** CPU time and bytes that a Redis master spends. A fleet's load on a master has the same shape. */
const redisCosts = z.object({
  /** Spent every second, without a gateway. */
  second: cost,
  /** Spent every second for each gateway connected to it: heartbeats, and the map of the cluster. */
  gatewaySecond: cost,
  /** Spent for each publish: the script, and its reply. */
  publish: cost,
  /** Spent for each gateway that has subscribers on the channel of a publish. */
  push: cost,
  /** Spent every second for each channel alive on each gateway: the audit of its cursor. */
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
  /** CPU time of a gateway, us. */
  gatewayUs: z.object({
    /** Spent every second, connected to Redis, without a connection or a channel. */
    second: cost,
    /** Spent every second for each connection: pings. */
    connectionSecond: cost,
    /** Spent every second for each channel alive on the gateway. */
    channelSecond: cost,
    /** Spent for each publish that the gateway takes. */
    publish: cost,
    /** Spent for each message that Redis pushes to the gateway. */
    push: cost,
    /** Spent for each subscriber to whom a message leaves in a write of its own. */
    delivery: cost,
    /** Spent for each time that the gateway slept until something came: caches are cold, and what came was alone. */
    wakeup: cost,
  }),
  /** Resident memory of a gateway after garbage was collected, bytes. */
  gatewayBytes: z.object({ process: cost, connection: cost, subscription: cost, channel: cost }),
  /** Bytes that a gateway writes to one subscriber for one message. */
  deliveryBytes: cost,
  redisUs: redisCosts,
  redisOutputBytes: redisCosts,
  /** How well the costs of publish, push and delivery fit: the mean of what single runs were off, as a share. */
  fitError: z.object({ gatewayUs: cost, redisUs: cost, redisOutputBytes: cost }),
});

/** The costs of everything, as `fanfare-load sizing measure` writes them. */
export type Costs = z.infer<typeof costsSchema>;
export type RedisCosts = z.infer<typeof redisCosts>;

/** The file of the costs that were measured for `docs/SIZING.md`. It comes with this package. */
export const SHIPPED_COSTS = fileURLToPath(new URL('../../costs.json', import.meta.url));

/** @throws if the file cannot be read, or is not what `sizing measure` writes */
export function readCosts(file: string): Costs {
  const parsed = costsSchema.safeParse(JSON.parse(readFileSync(file, 'utf8')));
  if (!parsed.success) throw new Error(`${file} holds no costs:\n${z.prettifyError(parsed.error)}`);
  return parsed.data;
}
