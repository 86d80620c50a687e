import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { ChannelSpec } from '../../src/broker/broker.js';
import type { LogPosition } from '../../src/broker/record.js';
import { encodeBody } from '../../src/broker/record-codec.js';
import { parsePublishReply, publishArguments, publishScript } from '../../src/broker/redis/scripts/scripts.js';
import { runScript, type ScriptConnection } from '../../src/redis/script.js';
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
  #last = 0;

  constructor(nodes: readonly RedisNode[]) {
    this.#nodes = nodes;
  }

  async publish(channel: ChannelSpec, value: unknown, key: string, timeoutMs = 40_000): Promise<LogPosition> {
    const deadline = Date.now() + timeoutMs;
    let problem: unknown;
    while (Date.now() < deadline) {
      const node = this.#nodes[this.#last % this.#nodes.length] as RedisNode;
      try {
        return await this.#attempt(node.client, channel, value, key);
      } catch (error) {
        problem = error;
        await this.#follow(error as Error);
        const ask = /^ASK \d+ \S+:(\d+)$/.exec((error as Error).message);
        if (ask) {
          const asked = await this.#attempt(asking(this.#at(Number(ask[1]))), channel, value, key).catch(() => {});
          if (asked) return asked;
        }
      }
    }
    throw new Error(`not published within ${timeoutMs} ms`, { cause: problem });
  }

  async #attempt(connection: ScriptConnection, channel: ChannelSpec, value: unknown, key: string) {
    const messages = [{ body: encodeBody(json(value, { key })), key }];
    const args = publishArguments([{ channel, messages }], IDEMPOTENCY_MS);
    const run = runScript(connection, publishScript, args);
    run.catch(() => {});
    const reply = await Promise.race([run, delay(ATTEMPT_MS, undefined, { ref: false })]);
    if (reply === undefined) throw new Error('no answer');
    const [appended = []] = parsePublishReply(reply);
    if (appended instanceof Error) throw appended;
    return appended[0]?.position as LogPosition;
  }

  async #follow(error: Error): Promise<void> {
    const moved = /^MOVED \d+ \S+:(\d+)$/.exec(error.message);
    if (error.message.startsWith('ASK')) return;
    const index = moved ? this.#nodes.findIndex(({ port }) => port === Number(moved[1])) : -1;
    this.#last = index >= 0 ? index : this.#last + 1;
    await delay(RETRY_MS);
  }

  #at(port: number): Redis {
    return this.#nodes.find((node) => node.port === port)?.client as Redis;
  }
}

function asking(redis: Redis): ScriptConnection {
  return {
    callBuffer(command, ...args) {
      redis.asking().catch(() => {});
      return redis.callBuffer(command, ...args);
    },
  };
}
