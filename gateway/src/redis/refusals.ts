import type { Cancel, Clock } from '../clock.js';
import type { RedisLog } from './log.js';
import { refusalOf } from './reply-errors.js';
import { formatAddress, type RedisAddress } from './url.js';

interface RefusalsOptions {
  readonly clock: Clock;
  readonly log?: RedisLog | undefined;
  /** Writes something in this slot that nobody reads; rejects if that is refused. */
  readonly probe: (slot: number) => Promise<unknown>;
  /** How often a master that refuses writes is asked whether it still does, ms. Default 1000. */
  readonly probeMs?: number;
}

const PROBE_MS = 1_000;

/** A master that refuses writes. */
interface Refusing {
  /** The reply with which this master refused last. */
  reply: string;
  /** The slot of the last command that this master refused. */
  slot: number;
}

/**
 * Which masters answer but refuse writes: those that are full, on a broken disk, short of replicas, or read-only. The
 * log says it once when a master begins to refuse, and once when that is over. The end is found out by trial writes,
 * because publishers may have given up long before.
 */
export class Refusals {
  /** Refused commands since the start, by the first word of the reply in lower case. */
  readonly counts: Record<string, number> = {};
  readonly #options: RefusalsOptions;
  readonly #refusing = new Map<string, Refusing>();
  #cancelProbe: Cancel | undefined;

  constructor(options: RefusalsOptions) {
    this.#options = options;
  }

  /** Notes that a command for this slot failed at this server. */
  note(at: RedisAddress, slot: number, error: Error): void {
    const refusal = refusalOf(error);
    if (!refusal) return;
    const reason = refusal.word.toLowerCase();
    this.counts[reason] = (this.counts[reason] ?? 0) + 1;
    if (refusal.writesStop === undefined) return;
    const master = formatAddress(at);
    const known = this.#refusing.get(master);
    const isNew = known === undefined || refusalOfReply(known.reply) !== refusal.word;
    this.#refusing.set(master, { reply: error.message, slot });
    if (isNew) this.#options.log?.warn({ shard: master, reply: error.message }, 'redis refuses writes');
    this.#probeLater();
  }

  /** Why this master refuses writes, in one line; `undefined` if it does not. */
  detail(master: string): string | undefined {
    const refusing = this.#refusing.get(master);
    return refusing && `refuses writes: ${refusing.reply}`;
  }

  /** Forgets servers that are no masters any more. */
  adopt(masters: ReadonlyMap<string, unknown>): void {
    for (const master of this.#refusing.keys()) if (!masters.has(master)) this.#refusing.delete(master);
  }

  close(): void {
    this.#cancelProbe?.();
    this.#refusing.clear();
  }

  #probeLater(): void {
    this.#cancelProbe ??= this.#options.clock.after(this.#options.probeMs ?? PROBE_MS, async () => {
      await Promise.all([...this.#refusing].map(([master, { slot }]) => this.#probe(master, slot)));
      this.#cancelProbe = undefined;
      if (this.#refusing.size > 0) this.#probeLater();
    });
  }

  async #probe(master: string, slot: number): Promise<void> {
    try {
      await this.#options.probe(slot);
    } catch {
      return; // it still refuses, or is away, which others tell
    }
    if (this.#refusing.delete(master)) this.#options.log?.info({ shard: master }, 'redis takes writes again');
  }
}

function refusalOfReply(reply: string): string {
  return reply.split(' ', 1)[0] as string;
}
