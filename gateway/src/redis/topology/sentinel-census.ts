import type { Redis } from 'ioredis';
import { formatAddress, type RedisAddress } from '../url.js';
import type { Agreement, Answers, Census } from './polled-topology.js';
import { singleMasterView } from './topology.js';

/** One sentinel. `id` is what it calls itself: it can be known under several addresses. */
interface SentinelIdentity extends RedisAddress {
  readonly id: string;
}

interface SentinelAnswer {
  readonly self: SentinelIdentity;
  readonly master: RedisAddress;
  /** The config epoch of the master, which grows with every failover. */
  readonly configEpoch: number;
  /** The other sentinels that watch this master. */
  readonly others: readonly SentinelIdentity[];
}

/**
 * What the sentinels say together: the answer with the highest config epoch wins. The address is that of
 * GET-MASTER-ADDR-BY-NAME, because in the middle of a failover SENTINEL MASTER already says the new epoch, but still
 * the old address.
 */
export class SentinelCensus implements Census<SentinelAnswer> {
  readonly #masterName: string;

  constructor(masterName: string) {
    this.#masterName = masterName;
  }

  async ask(redis: Redis, self: RedisAddress): Promise<SentinelAnswer> {
    const name = this.#masterName;
    const unknown = (cause: Error) => {
      if (!cause.message.includes('No such master')) throw cause;
      throw new Error(`the sentinel at ${formatAddress(self)} watches no master "${name}"`, { cause });
    };
    const [address, master, others, id] = (await Promise.all([
      redis.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name),
      redis.call('SENTINEL', 'MASTER', name),
      redis.call('SENTINEL', 'SENTINELS', name),
      redis.call('SENTINEL', 'MYID'),
    ]).catch(unknown)) as [[string, string], string[], string[][], string];
    return {
      self: { id, ...self },
      master: { host: address[0], port: Number(address[1]) },
      configEpoch: Number(fieldOf(master, 'config-epoch')),
      others: others.map((one) => ({
        id: fieldOf(one, 'runid'),
        host: fieldOf(one, 'ip'),
        port: Number(fieldOf(one, 'port')),
      })),
    };
  }

  /** Each sentinel once, by the address at which it answered, if it did. */
  peers(answers: Answers<SentinelAnswer>): RedisAddress[] {
    const peers = new Map<string, RedisAddress>();
    const meet = ({ id, host, port }: SentinelIdentity) => {
      if (!peers.has(id)) peers.set(id, { host, port });
    };
    for (const { self } of answers.values()) meet(self);
    for (const { others } of answers.values()) others.forEach(meet);
    return [...peers.values()];
  }

  agree(answers: Answers<SentinelAnswer>): Agreement {
    const given = [...new Map([...answers.values()].map((answer) => [answer.self.id, answer])).values()];
    const epoch = Math.max(...given.map(({ configEpoch }) => configEpoch));
    const newest = given.filter(({ configEpoch }) => configEpoch === epoch).map(({ master }) => master);
    const votesFor = (master: RedisAddress) =>
      newest.filter((one) => formatAddress(one) === formatAddress(master)).length;
    const master = newest.reduce((best, one) => (votesFor(one) > votesFor(best) ? one : best));
    const known = Math.max(...given.map(({ others }) => others.length + 1));
    return { view: singleMasterView(formatAddress(master), master), isMajority: given.length * 2 > known };
  }
}

/** One field of a sentinel's reply, which is a flat list of names and values. */
function fieldOf(flat: readonly string[], name: string): string {
  return flat[flat.indexOf(name) + 1] as string;
}
