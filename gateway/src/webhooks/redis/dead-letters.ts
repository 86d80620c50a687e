import { systemClock } from '../../clock.js';
import { RedisDeployment } from '../../redis/deployment.js';
import { SHARD_COUNT } from '../../redis/keys.js';
import { parseRedisUrl } from '../../redis/url.js';
import { type DeadLetter, deadLetters, settleDeadLetters, WEBHOOK_SCRIPTS } from './webhook-scripts.js';

/** How many dead letters are read from one shard at a time. */
const MAX_LETTERS = 10_000;

/** The events of a deployment that were given up. */
export interface DeadLetters {
  /** All dead letters, oldest first within each shard. Their ids are `s<shard>-<id>`. */
  list(): Promise<readonly DeadLetter[]>;
  /**
   * Puts the dead letters with these ids back into the queue, or throws them away. Without ids it does so with all of
   * them.
   */
  settle(what: 'replay' | 'drop', ids: readonly string[]): Promise<{ found: number; missing: readonly string[] }>;
  close(): void;
}

/** @param url a URL as `parseRedisUrl` reads it. If no Redis is there, the methods fail with `unavailable`. */
export async function openDeadLetters(url: string): Promise<DeadLetters> {
  const deployment = new RedisDeployment({ target: parseRedisUrl(url), clock: systemClock });
  deployment.join({}, WEBHOOK_SCRIPTS);
  deployment.start();
  const { commands } = deployment;

  const ofShard = async (shard: number) =>
    (await deadLetters(commands, shard, MAX_LETTERS)).map((one) => ({ ...one, id: `s${shard}-${one.id}` }));

  const list = async () =>
    (await Promise.all(Array.from({ length: SHARD_COUNT }, (_, shard) => ofShard(shard)))).flat();

  return {
    list,

    async settle(what, ids) {
      const wanted = ids.length > 0 ? ids : (await list()).map(({ id }) => id);
      const missing: string[] = [];
      let found = 0;
      for (const id of wanted) {
        const [, shard, entry] = /^s(\d+)-(\d+-\d+)$/.exec(id) ?? [];
        const isKnown = entry !== undefined && Number(shard) < SHARD_COUNT;
        if (isKnown && (await settleDeadLetters(commands, Number(shard), what, [entry])) > 0) found++;
        else missing.push(id);
      }
      return { found, missing };
    },

    close() {
      deployment.close();
    },
  };
}
