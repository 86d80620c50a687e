/**
 * What Redis lets wait on a subscribing connection before it ends the connection
 * (`client-output-buffer-limit pubsub`), and how many pages of logs may be on their way there in view of it.
 */
import type { Redis } from 'ioredis';

/** The limits of an output buffer, in bytes; `Infinity`: no limit. */
export interface BufferLimit {
  /** Beyond this many bytes the connection ends at once. */
  readonly hardBytes: number;
  /** Beyond this many bytes for a while (60 s by default) the connection ends as well. */
  readonly softBytes: number;
}

const MIB = 1024 * 1024;
/** The default of Redis, `pubsub 32mb 8mb 60`; assumed where a gateway may not ask. */
const DEFAULT_LIMIT: BufferLimit = { hardBytes: 32 * MIB, softBytes: 8 * MIB };
/** Largest page that the hub asks for, bytes. A single message that is larger is a page too. */
const PAGE_BYTES = 256 * 1024;
/** Most pages at a time; more would make nothing faster. */
const MOST_PAGES = 32;
/** How many of the largest messages have to fit into the buffer: a page, and pushes that come meanwhile. */
const LEAST_MESSAGES = 4;

/** The limit that this server has; `undefined` if it does not say. */
export async function readBufferLimit(redis: Redis): Promise<BufferLimit | undefined> {
  const reply = (await redis.config('GET', 'client-output-buffer-limit').catch(() => [])) as string[];
  return reply[1] === undefined ? undefined : parseBufferLimit(reply[1]);
}

/** @param limits as `CONFIG GET` has it: `... pubsub 33554432 8388608 60` */
export function parseBufferLimit(limits: string): BufferLimit | undefined {
  const [, hard, soft] = /pubsub (\d+) (\d+)/.exec(limits) ?? [];
  if (hard === undefined) return undefined;
  const bytes = (text: string | undefined) => Number(text) || Number.POSITIVE_INFINITY;
  return { hardBytes: bytes(hard), softBytes: bytes(soft) };
}

/** How many pages may be on their way at a time, however many clients read. Half of the buffer is kept for pushes. */
export function pagesAtATime(limit: BufferLimit = DEFAULT_LIMIT, maxMessageBytes: number): number {
  const room = Math.min(limit.hardBytes / 2, limit.softBytes);
  const pages = Math.floor(room / Math.max(PAGE_BYTES, maxMessageBytes));
  return Math.min(MOST_PAGES, Math.max(1, pages));
}

/** Why messages of this size cannot be served by this server; `undefined` if they can. */
export function bufferProblem({ hardBytes }: BufferLimit, maxMessageBytes: number): string | undefined {
  const needed = LEAST_MESSAGES * maxMessageBytes;
  if (hardBytes >= needed) return undefined;
  return `client-output-buffer-limit of pubsub is ${hardBytes} bytes; messages of ${maxMessageBytes} bytes need ${needed}, or gateways are cut over and over`;
}
