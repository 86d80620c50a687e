import { type Clock, sleep } from '../../../clock.js';
import { FanfareError } from '../../../errors.js';
import {
  isConnectionError,
  isMoved,
  isMoving,
  isReadOnly,
  redirectionOf,
  refusalOf,
  whyNoWrites,
} from '../../../redis/reply-errors.js';
import type { ScriptConnection } from '../../../redis/script.js';
import type { RedisAddress } from '../../../redis/url.js';
import type { ChannelSpec, LogPage, ReadRange } from '../../broker.js';
import { type ReadOptions, readLog, type ServedLogPage } from '../scripts/scripts.js';
import type { PushLink } from './push-link.js';
import type { VirtualShard } from './virtual-shard.js';

interface LogReadsOptions {
  readonly clock: Clock;
  /** How long a read waits for a master that serves before it is `unavailable`, ms. */
  readonly readWaitMs: number;
  /** The link to the master at this address, if there is one. */
  readonly linkAt: (address: RedisAddress) => PushLink | undefined;
  /** Whether the master serves the slot, as a majority of nodes says that is asked from now on. */
  readonly confirm: (slot: number, master: string) => Promise<boolean>;
  /** Called when a server said that the slot is being handed over. */
  readonly onMoving: (shard: VirtualShard) => void;
  /** Called when a server said that the slot is not its own. */
  readonly onMoved: () => void;
  /** Called when a server answered a read with an error. */
  readonly onError: (at: RedisAddress, slot: number, error: Error) => void;
}

const RETRY_MS = 50;

/** Reads logs on the subscribing connections, and follows a slot that is being moved. */
export class LogReads {
  readonly #options: LogReadsOptions;

  constructor(options: LogReadsOptions) {
    this.#options = options;
  }

  /**
   * @throws {FanfareError} `unavailable` if no master that may answer does so within `readWaitMs`; at once if the read
   * asks to fail fast
   */
  async read(shard: VirtualShard, channel: ChannelSpec, range: ReadRange, options: ReadOptions): Promise<LogPage> {
    const { clock, readWaitMs } = this.#options;
    const giveUpAt = clock.now() + (range.failFast ? 0 : readWaitMs);
    for (;;) {
      try {
        return await this.#attempt(shard, channel, range, options);
      } catch (error) {
        const reason = error as Error;
        if (!isPassing(reason)) {
          throw new FanfareError('internal', 'the log could not be read', { cause: reason });
        }
        if (clock.now() >= giveUpAt) {
          throw new FanfareError('unavailable', `the channel cannot be read now${whyNoWrites(reason)}`, {
            cause: reason,
            retryAfterMs: 1_000,
          });
        }
      }
      await sleep(clock, RETRY_MS * (0.5 + clock.random()));
    }
  }

  async #attempt(shard: VirtualShard, channel: ChannelSpec, range: ReadRange, options: ReadOptions): Promise<LogPage> {
    const { connection, slot } = shard;
    const link = connection?.link;
    if (!link) throw new Error(connection?.problem ?? 'nobody serves its slot');
    const [{ page, role, replicationId }, answering] = await this.#readAt(link, shard, channel, range, options);
    if (role !== 'master' || replicationId !== answering.replicationId) {
      answering.lose('it is no longer the master it was');
      throw new Error('a server answered that is no longer the master it was');
    }
    if (range.confirmed) {
      const checks = await Promise.all([this.#options.confirm(slot, connection.name), answering.verify()]);
      if (checks.includes(false) || shard.connection?.link !== link) {
        throw new Error('the server that answered may have been deposed');
      }
    }
    return page;
  }

  /** The page, and the link on which it was read. */
  async #readAt(
    link: PushLink,
    shard: VirtualShard,
    channel: ChannelSpec,
    range: ReadRange,
    options: ReadOptions,
  ): Promise<[ServedLogPage, PushLink]> {
    try {
      const read = () => readOn(link, link.redis, channel, range, options);
      return [await link.read(range, read), link];
    } catch (thrown) {
      const error = thrown as Error;
      this.#options.onError(link.address, shard.slot, error);
      if (isReadOnly(error)) link.lose('it is read-only');
      if (isMoved(error)) this.#options.onMoved();
      if (isMoving(error)) this.#options.onMoving(shard);
      const redirection = redirectionOf(error);
      if (redirection?.kind !== 'ASK') throw error;
      this.#options.onMoving(shard);
      const host = redirection.host || link.address.host;
      const other = this.#options.linkAt({ host, port: redirection.port });
      if (!other) throw error;
      return [await other.read(range, () => readOn(other, asking(other), channel, range, options)), other];
    }
  }
}

/** Reads on a link. If the link is lost by then, its answer is not used: its replies may be out of step. */
async function readOn(
  link: PushLink,
  connection: ScriptConnection,
  channel: ChannelSpec,
  range: ReadRange,
  options: ReadOptions,
): Promise<ServedLogPage> {
  const [outcome] = await Promise.allSettled([readLog(connection, channel, range, options)]);
  if (!link.isOpen) throw new Error('the connection was lost');
  if (outcome.status === 'rejected') throw outcome.reason;
  return outcome.value;
}

/** A connection on which each command follows ASKING, so that the server to which the slot is moving answers it. */
function asking({ redis }: PushLink): ScriptConnection {
  return {
    callBuffer(command, ...args) {
      redis.asking().catch(() => {}); // if it fails, so does the command behind it
      return redis.callBuffer(command, ...args);
    },
  };
}

/** Whether an error will pass: the connection failed, or the server refused for now. Faults of ours do not. */
function isPassing(error: Error): boolean {
  return isConnectionError(error) || refusalOf(error) !== undefined;
}
