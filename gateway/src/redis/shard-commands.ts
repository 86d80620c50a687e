import type { Clock } from '../clock.js';
import { FanfareError } from '../errors.js';
import { Backoff, type BackoffTimings } from './backoff.js';
import type { CommandLink } from './command-link.js';
import { slotOfShard } from './keys.js';
import { PendingBytes } from './pending-bytes.js';
import { faultKind, NotSentError, whyNoWrites } from './reply-errors.js';
import { type Command, type CommandArgument, CommandWriter, command } from './resp.js';
import type { RetryHint, Routes } from './routes.js';
import type { Script } from './script.js';
import type { Topology } from './topology/topology.js';

export interface CallOptions {
  /**
   * Whether doing the command twice has the same result as doing it once. If so, it is also repeated when its reply was
   * cut off; if not, the outcome is then `outcome_unknown`.
   */
  readonly isIdempotent: boolean;
  /** How long the command is tried, ms. Default 5000. */
  readonly deadlineMs?: number;
}

interface ShardCommandsOptions {
  readonly clock: Clock;
  readonly topology: Pick<Topology, 'view'>;
  readonly routes: Routes;
  /** How long to wait before each retry: a random time below a ceiling that doubles. */
  readonly backoff: BackoffTimings;
  /** Most bytes of calls that may wait for one master or be on their way to it. Default: 16 MiB. */
  readonly maxPendingBytes?: number;
}

const DEADLINE_MS = 5_000;
const MAX_PENDING_BYTES = 16 * 1024 * 1024;
/**
 * How many retries in a row may be made at once. Servers that redirect us back and forth are not asked faster than
 * that.
 */
const MAX_HURRIED_RETRIES = 4;
/** When callers are told to come back, as part of `unavailable`, ms. */
const RETRY_AFTER_MS = 1_000;

const ASKING = command('ASKING');

/** An encoded call, in two forms: with the script by its digest, or with its text. */
interface Encoded {
  readonly plain: Command;
  readonly withScript: () => Command;
}

/** A call that is not answered yet. */
interface Call {
  readonly slot: number;
  readonly encoded: Encoded;
  readonly isIdempotent: boolean;
  /** Whether the call is answered, or its deadline is over. */
  isOver: boolean;
  /** Whether the call may have been done: the reply to an attempt was cut off. */
  mayBeDone: boolean;
  /** Why the last attempt failed. */
  problem: Error | undefined;
}

/**
 * Runs scripts and commands on whoever is master of a virtual shard now. It follows MOVED, ASK, TRYAGAIN,
 * NOSCRIPT and failovers, retries what was refused, and ends at its deadline with an answer that is true:
 *
 * - `unavailable` (retryable): it was not done.
 * - `outcome_unknown`: it may or may not have been done, or may yet be.
 * - `internal`: Redis answered with an error that no retry heals, as `cause`.
 *
 * Calls made in one turn of the event loop leave in one write for each master. Calls are not ordered among
 * each other: whoever needs one after the other waits for it, or does both in one script.
 *
 * Replies are ioredis' with binary bulk strings: `Buffer`, `number`, `null`, arrays of these.
 */
export class ShardCommands {
  readonly #options: ShardCommandsOptions;
  readonly #pending: PendingBytes;
  readonly #calls = new Set<(problem: Error) => void>();
  /** Calls that wait for their next attempt, each as a function that makes the attempt go at once. */
  readonly #sleeping = new Set<() => void>();
  /** What leaves with the next write, by link. */
  #batches = new Map<
    CommandLink,
    { commands: Command[]; deliver: ((replies: readonly Promise<unknown>[]) => void)[] }
  >();
  #isClosed = false;

  constructor(options: ShardCommandsOptions) {
    this.#options = options;
    this.#pending = new PendingBytes(options.maxPendingBytes ?? MAX_PENDING_BYTES);
  }

  /**
   * Runs a script, which the server learns with the first call.
   * @param shard whose master runs it: `shardOf(channel)`, or any number below `SHARD_COUNT`
   * @param keys all keys the script touches; each begins with `ff:{s<shard>}`, as `keys.ts` spells them
   * @throws {FanfareError} as the class says
   */
  run(
    shard: number,
    script: Script,
    keys: readonly string[],
    args: readonly CommandArgument[],
    options: CallOptions,
  ): Promise<unknown> {
    checkKeys(shard, keys);
    const writer = (text: string) => {
      const writing = new CommandWriter().add(text).add(keys.length);
      for (const key of keys) writing.add(key);
      for (const argument of args) writing.add(argument);
      return writing;
    };
    const encoded = {
      plain: writer(script.sha).command('EVALSHA'),
      withScript: () => writer(script.source).command('EVAL'),
    };
    return this.#call(shard, encoded, options);
  }

  /**
   * Sends one command whose first argument is its key, e.g. `send(3, ['GET', 'ff:{s3}:…'], …)`.
   * @throws {FanfareError} as the class says
   */
  send(
    shard: number,
    [name, key, ...args]: readonly [name: string, key: string, ...args: CommandArgument[]],
    options: CallOptions,
  ): Promise<unknown> {
    checkKeys(shard, [key]);
    const plain = command(name, key, ...args);
    return this.#call(shard, { plain, withScript: () => plain }, options);
  }

  /** To be called when a master may have come back: calls that wait for their next attempt are tried at once. */
  wake(): void {
    for (const goOn of [...this.#sleeping]) goOn();
  }

  /** Ends all calls that are not answered yet; they fail. */
  close(): void {
    this.#isClosed = true;
    for (const end of [...this.#calls]) end(new Error('closed'));
  }

  #call(shard: number, encoded: Encoded, { isIdempotent, deadlineMs = DEADLINE_MS }: CallOptions): Promise<unknown> {
    const slot = slotOfShard(shard);
    const master = this.#options.topology.view?.owners.get(slot) ?? '';
    const giveBack = this.#pending.take(master, encoded.plain.bytes.length);
    if (!giveBack) return Promise.reject(unavailable(new Error('too many calls wait already')));
    const call: Call = { slot, encoded, isIdempotent, isOver: false, mayBeDone: false, problem: undefined };
    return new Promise<unknown>((resolve, reject) => {
      const settle = (outcome: unknown) => {
        if (call.isOver) return;
        call.isOver = true;
        cancel();
        this.#calls.delete(end);
        giveBack();
        if (outcome instanceof Error) reject(outcome);
        else resolve(outcome);
      };
      const end = (problem: Error) =>
        settle(call.mayBeDone ? outcomeUnknown(call.problem ?? problem) : unavailable(call.problem ?? problem));
      const cancel = this.#options.clock.after(deadlineMs, () => end(new Error(`not within ${deadlineMs} ms`)));
      this.#calls.add(end);
      if (this.#isClosed) end(new Error('closed'));
      else void this.#attempts(call).then(settle, settle);
    });
  }

  /** Tries until there is an outcome: a reply, or the error that the caller is told. */
  async #attempts(call: Call): Promise<unknown> {
    const { clock, routes } = this.#options;
    const backoff = new Backoff(this.#options.backoff, clock.random);
    let hint: RetryHint = { isSoon: false };
    for (let hurried = 0; ; ) {
      const { asked, needsScript }: RetryHint = hint;
      const link = asked ? routes.linkAt(asked, false) : routes.linkTo(call.slot, false);
      if (!link) routes.refresh();
      const wasUnsure = call.mayBeDone;
      // While the call is on its way nobody knows whether it is done; the reply says so.
      call.mayBeDone = true;
      const reply = link
        ? await this.#post(link, needsScript ? call.encoded.withScript() : call.encoded.plain, asked !== undefined)
        : new NotSentError('nobody serves its slot');
      if (!(reply instanceof Error)) return reply;
      const kind = faultKind(reply);
      call.mayBeDone = wasUnsure || kind === 'unknown';
      call.problem = reply;
      if (kind === 'broken') return new FanfareError('internal', 'Redis refused a command', { cause: reply });
      if (kind === 'unknown' && !call.isIdempotent) return outcomeUnknown(reply);
      hint = link ? routes.learn(call.slot, link, reply, asked !== undefined) : { isSoon: false };
      if (call.isOver) return reply;
      hurried = hint.isSoon ? hurried + 1 : 0;
      if (!hint.isSoon || hurried > MAX_HURRIED_RETRIES) await this.#sleep(backoff.next());
      if (call.isOver) return reply;
    }
  }

  /**
   * Sends the command with everything else that leaves in this turn of the event loop. Resolves with the reply or an
   * error, and never rejects.
   */
  #post(link: CommandLink, one: Command, isAsked: boolean): Promise<unknown> {
    return new Promise((resolve) => {
      if (this.#batches.size === 0) this.#options.clock.soon(() => this.#flush());
      let post = this.#batches.get(link);
      if (!post) {
        post = { commands: [], deliver: [] };
        this.#batches.set(link, post);
      }
      if (isAsked) post.commands.push(ASKING);
      const at = post.commands.push(one) - 1;
      post.deliver.push((replies) => void (replies[at] as Promise<unknown>).then(resolve));
    });
  }

  #flush(): void {
    const batches = this.#batches;
    this.#batches = new Map();
    for (const [link, { commands, deliver }] of batches) {
      const replies = link.send(commands);
      for (const one of deliver) one(replies);
    }
  }

  #sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const goOn = () => {
        cancel();
        this.#sleeping.delete(goOn);
        resolve();
      };
      const cancel = this.#options.clock.after(delayMs, goOn);
      this.#sleeping.add(goOn);
    });
  }
}

/**
 * Refuses keys outside of the shard. A Cluster would refuse them too, and elsewhere they would be in the wrong place
 * once shards move.
 */
function checkKeys(shard: number, keys: readonly string[]): void {
  for (const key of keys) {
    if (!key.startsWith(`ff:{s${shard}}`)) throw new RangeError(`the key ${key} is not one of shard ${shard}`);
  }
}

function unavailable(cause: Error): FanfareError {
  return new FanfareError('unavailable', `Redis cannot be used now${whyNoWrites(cause)}`, {
    cause,
    retryAfterMs: RETRY_AFTER_MS,
  });
}

function outcomeUnknown(cause: Error): FanfareError {
  return new FanfareError('outcome_unknown', 'it may or may not have been done', { cause });
}
