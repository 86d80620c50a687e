/**
 * What credentials allow by themselves: actions by patterns of channel names. What a namespace allows besides is not
 * known here.
 */
import type { Action, Grants } from './authenticator.js';

export const ACTIONS = ['subscribe', 'publish', 'presence', 'history'] as const satisfies readonly Action[];

/**
 * Actions by pattern. A pattern is the name of one channel, or ends in `*` and then means every name that begins like
 * it: `chat:*` matches `chat:1` and not `chatx:1`, `*` matches all. A `*` elsewhere is a character like any other. Names
 * are compared as they are: nothing is folded, trimmed or normalized, so two spellings of "é" are two channels.
 * Patterns add up: an action is allowed if any pattern that matches the channel allows it.
 */
export class Permissions implements Grants {
  readonly #exact = new Map<string, Set<Action>>();
  readonly #prefixes: [prefix: string, actions: ReadonlySet<Action>][] = [];

  /** @param grants actions by pattern */
  constructor(grants: Iterable<readonly [pattern: string, actions: Iterable<Action>]>) {
    for (const [pattern, actions] of grants) {
      if (pattern.endsWith('*')) this.#prefixes.push([pattern.slice(0, -1), new Set(actions)]);
      else this.#exact.set(pattern, new Set([...(this.#exact.get(pattern) ?? []), ...actions]));
    }
  }

  allowsAll(action: Action, prefix: string): boolean {
    return this.#prefixes.some(([begin, actions]) => actions.has(action) && prefix.startsWith(begin));
  }

  allows(action: Action, channel: string): boolean {
    if (this.#exact.get(channel)?.has(action)) return true;
    return this.#prefixes.some(([prefix, actions]) => actions.has(action) && channel.startsWith(prefix));
  }
}

export const NO_PERMISSIONS = new Permissions([]);
