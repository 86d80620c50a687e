import type { LogPosition } from '../record.js';

interface KeyEntry {
  readonly channel: string;
  readonly position: LogPosition;
  readonly expiresAt: number;
}

/** Idempotency keys, each with the position of the first message that had it. Keys of different channels are apart. */
export class KeyWindow {
  /** The keys, oldest first. All keys hold equally long, so they expire in this order. */
  readonly entries = new Map<string, KeyEntry>();
  readonly #windowMs: number;
  readonly #maxKeys: number;

  constructor(windowMs: number, maxKeys: number) {
    this.#windowMs = windowMs;
    this.#maxKeys = maxKeys;
  }

  find(channel: string, key: string, nowMs: number): LogPosition | undefined {
    this.evict(nowMs);
    return this.entries.get(entryName(channel, key))?.position;
  }

  /** How long until another key can be taken, ms; 0: now. A key is never forgotten early to make room. */
  fullForMs(nowMs: number): number {
    if (this.entries.size < this.#maxKeys) return 0;
    const oldest = this.entries.values().next().value;
    return oldest ? Math.max(1, oldest.expiresAt - nowMs) : 0;
  }

  remember(channel: string, key: string, position: LogPosition, nowMs: number): void {
    this.entries.set(entryName(channel, key), { channel, position, expiresAt: nowMs + this.#windowMs });
  }

  evict(nowMs: number): void {
    for (const [name, entry] of this.entries) {
      if (entry.expiresAt > nowMs) return;
      this.entries.delete(name);
    }
  }
}

/** The length keeps channel `a:b` with key `c` apart from channel `a` with key `b:c`. */
function entryName(channel: string, key: string): string {
  return `${channel.length}:${channel}:${key}`;
}
