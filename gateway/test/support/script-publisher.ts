import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { ChannelSpec } from '../../src/broker/broker.js';
import type { LogPosition, NewMessage } from '../../src/broker/record.js';
import { encodeBody } from '../../src/broker/record-codec.js';
import { readStored, storeCommands } from '../../src/broker/redis/publish/commands.js';
import { PublishLane } from '../../src/broker/redis/publish/lane.js';
import type { Appended } from '../../src/broker/redis/scripts/scripts.js';
import { sendEncoded } from '../../src/redis/link.js';
import { isScriptMissing } from '../../src/redis/reply-errors.js';
import { json } from './broker-kit.js';
import type { RedisNode } from './redis-servers.js';

const IDEMPOTENCY_MS = 300_000;
const ATTEMPT_MS = 400;
const RETRY_MS = 20;

/**
 * Publishes by running the script on whichever node takes it, following MOVED and ASK, again and again
 * with an idempotency key until one acknowledges: independent of the engine under test.
 */
export class ScriptPublisher {
  readonly #nodes: readonly RedisNode[];
  /** By channel: where its last publish was sent, an index of `#nodes`. */
  readonly #last = new Map<string, number>();

  constructor(nodes: readonly RedisNode[]) {
    this.#nodes = nodes;
  }

  async publish(channel: ChannelSpec, value: unknown, key: string, timeoutMs = 40_000): Promise<LogPosition> {
    const deadline = Date.now() + timeoutMs;
    let problem: unknown;
    while (Date.now() < deadline) {
      const node = this.#nodes[(this.#last.get(channel.name) ?? 0) % this.#nodes.length] as RedisNode;
      try {
        return await this.#attempt(node.client, channel, value, key);
      } catch (error) {
        problem = error;
        await this.#follow(channel, error as Error);
        const ask = /^ASK \d+ \S+:(\d+)$/.exec((error as Error).message);
        if (ask) {
          const asked = await this.#attempt(this.#at(Number(ask[1])), channel, value, key, true).catch(() => {});
          if (asked) return asked;
        }
      }
    }
    throw new Error(`not published within ${timeoutMs} ms`, { cause: problem });
  }

  async #attempt(redis: Redis, channel: ChannelSpec, value: unknown, key: string, isAsked = false) {
    const storing = store(redis, channel, [json(value, { key })], isAsked);
    storing.catch(() => {});
    const appended = await Promise.race([storing, delay(ATTEMPT_MS, undefined, { ref: false })]);
    if (appended === undefined) throw new Error('no answer');
    return appended[0]?.position as LogPosition;
  }

  async #follow({ name }: ChannelSpec, error: Error): Promise<void> {
    const moved = /^MOVED \d+ \S+:(\d+)$/.exec(error.message);
    if (error.message.startsWith('ASK')) return;
    const index = moved ? this.#nodes.findIndex(({ port }) => port === Number(moved[1])) : -1;
    this.#last.set(name, index >= 0 ? index : (this.#last.get(name) ?? 0) + 1);
    await delay(RETRY_MS);
  }

  #at(port: number): Redis {
    return this.#nodes.find((node) => node.port === port)?.client as Redis;
  }
}

/** Runs the publish script on this connection, with the very arguments that the engine sends. */
export async function store(
  redis: Redis,
  channel: ChannelSpec,
  messages: readonly NewMessage[],
  isAsked = false,
): Promise<readonly Appended[]> {
  const publishes = messages.map((message) => ({
    body: encodeBody(message),
    key: message.key,
    replicas: undefined,
    giveUpAt: 0,
    settle() {},
    mayBeDone: false,
  }));
  const attempt = async (needsScript: boolean) => {
    const batches = [{ lane: new PublishLane(channel), publishes, isAsked, needsScript }];
    const replies = storeCommands(batches, IDEMPOTENCY_MS).map((one) => sendEncoded(redis, one));
    for (const reply of replies) reply.catch(() => {});
    const [appended] = readStored(await replies.at(-1), batches);
    if (appended instanceof Error) throw appended;
    return appended as readonly Appended[];
  };
  return attempt(false).catch((error) => {
    if (!isScriptMissing(error)) throw error;
    return attempt(true);
  });
}
