/** The one schema: what each setting may be. What depends on several settings is in `config.ts`. */
import { isChannelName } from '@fanfare/protocol';
import { z } from 'zod';
import { LATER_LIMIT_NAMES, LATER_NAMES } from './config-settings.js';
import { parseRedisUrl } from './redis/url.js';

/** Largest frame and message that can be configured: what the transports carry with room to spare. */
export const MAX_FRAME_BYTES = 64 * 1024 * 1024;
/** What a frame needs beside its payload: channel, key, tags. */
export const FRAME_OVERHEAD_BYTES = 8 * 1024;
/** The longest timer Node takes, ms (`setTimeout`, Node documentation): about 24 days. */
export const MAX_TIMER_MS = 2 ** 31 - 1;
const MAX_HISTORY_TTL_MS = 365 * 86_400_000;

const UNIT_MS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `500ms`, `90s`, `15m`, `24h`, `7d`, or ms as a number (or digits). `undefined`: none of these. */
export function parseDuration(value: string | number): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) && value >= 0 ? Math.round(value) : undefined;
  const match = /^(\d{1,15}(?:\.\d{1,6})?)(ms|s|m|h|d)?$/.exec(value.trim());
  return match ? Math.round(Number(match[1]) * (UNIT_MS[match[2] ?? 'ms'] as number)) : undefined;
}

function duration(minMs: number, maxMs: number) {
  const wanted = `expected a duration like "500ms", "90s", "15m", "24h", "7d" or a number of ms, from ${minMs} to ${maxMs} ms`;
  return z.union([z.string(), z.number()], { error: wanted }).transform((value, context) => {
    const ms = parseDuration(value);
    if (ms !== undefined && ms >= minMs && ms <= maxMs) return ms;
    context.addIssue({ code: 'custom', message: wanted });
    return z.NEVER;
  });
}

function integer(min: number, max: number) {
  const error = `expected an integer from ${min} to ${max}`;
  return z.number({ error }).int({ error }).min(min, { error }).max(max, { error });
}

function oneOf<const Words extends readonly [string, ...string[]]>(...words: Words) {
  return z.enum(words, { error: `expected one of ${words.join(', ')}` });
}

const notAvailable = z.never({ error: 'not available in this version' }).optional();
const later = <Name extends string>(names: readonly Name[]) =>
  Object.fromEntries(names.map((name) => [name, notAvailable])) as Record<Name, typeof notAvailable>;

const namespace = z.strictObject(
  {
    durable: z.boolean({ error: 'expected true or false' }).default(true),
    history: z
      .strictObject(
        {
          size: integer(1, 1_000_000).default(1000),
          ttl: duration(1000, MAX_HISTORY_TTL_MS).default(86_400_000),
        },
        { error: 'expected an object with size and ttl' },
      )
      .default({ size: 1000, ttl: 86_400_000 }),
    subscribe: oneOf('token', 'authenticated', 'anyone').default('token'),
    publish: oneOf('none', 'token', 'authenticated', 'anyone').default('none'),
    presence: z.boolean({ error: 'expected true or false' }).default(false),
    maxMessageBytes: integer(1, MAX_FRAME_BYTES - FRAME_OVERHEAD_BYTES).optional(),
  },
  { error: 'expected an object' },
);

export type NamespaceInput = z.output<typeof namespace>;

const limits = z.strictObject(
  {
    commandsPerSecond: integer(0, 1_000_000).optional(),
    bytesPerSecond: integer(0, 2 ** 40).optional(),
    publishesPerSecond: integer(0, 1_000_000).optional(),
    subscriptions: integer(0, 10_000_000).optional(),
    frameBytes: integer(0, MAX_FRAME_BYTES).optional(),
    messageBytes: integer(0, MAX_FRAME_BYTES - FRAME_OVERHEAD_BYTES).optional(),
    bufferedBytes: integer(0, 2 ** 30).optional(),
    lagMs: duration(0, MAX_TIMER_MS).optional(),
    ...later(LATER_LIMIT_NAMES),
  },
  { error: 'expected an object' },
);

const origin = z
  .string()
  .regex(
    /^(\*|https?:\/\/[^/*\s]*\*?[^/*\s]*)$/i,
    'expected an origin like https://app.example.com, with at most one *',
  );

const redisUrl = z.string({ error: 'expected a URL' }).superRefine((url, context) => {
  try {
    parseRedisUrl(url);
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message });
  }
});

const apiKey = z
  .string()
  .regex(/^[\x21-\x2b\x2d-\x7e]{1,256}$/, 'expected 1 to 256 visible ASCII characters without a comma');

export const configSchema = z.object({
  mode: oneOf('development', 'production').optional(),
  host: z.string({ error: 'expected a host name or address' }).min(1, 'expected a host name or address').optional(),
  port: integer(0, 65_535).default(8080),
  healthPort: integer(0, 65_535).optional(),
  node: z
    .string()
    .regex(/^[\w.:-]{1,64}$/, 'expected 1 to 64 letters, digits or . _ : -')
    .optional(),
  redisUrl: redisUrl.optional(),
  apiKeys: z.array(apiKey, { error: 'expected a list of keys' }).optional(),
  transport: oneOf('auto', 'uws', 'ws').default('auto'),
  workers: integer(1, 256).default(1),
  logLevel: oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent').default('info'),
  allowedOrigins: z.array(origin, { error: 'expected a list of origins' }).optional(),
  namespaces: z
    .record(
      z.string().refine((name) => name === '' || (isChannelName(name) && !name.includes(':')), {
        error: 'a namespace is the part of a channel name before its first colon',
      }),
      namespace,
      { error: 'expected an object' },
    )
    .optional(),
  limits: limits.default({}),
  ...later(LATER_NAMES),
});

export type ConfigValues = z.output<typeof configSchema>;
