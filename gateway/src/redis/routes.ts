import type { RedisOptions } from 'ioredis';
import type { Clock } from '../clock.js';
import { CommandLink, type CommandLinkTimings } from './command-link.js';
import {
  isCrossSlot,
  isReadOnly,
  isScriptMissing,
  mayHaveMoved,
  type Redirection,
  redirectionOf,
} from './reply-errors.js';
import type { Script } from './script.js';
import type { Topology, TopologyView } from './topology/topology.js';
import { formatAddress, type RedisAddress } from './url.js';

interface RoutesOptions {
  readonly clock: Clock;
  readonly link: RedisOptions;
  readonly timings: CommandLinkTimings;
  readonly scripts: readonly Script[];
  readonly topology: Pick<Topology, 'view' | 'refresh' | 'confirmMaster'>;
  /** Called when a server answered a command for this slot with an error. */
  readonly onError?: (at: RedisAddress, slot: number, error: Error) => void;
  /** Called when a link can take commands, the first time or again. */
  readonly onUp: () => void;
}

/** How to try again after an error. */
export interface RetryHint {
  /** Whether the reason for the error is gone already, so that another attempt may be made at once. */
  readonly isSoon: boolean;
  /** The server to which the next attempt goes, behind ASKING. */
  readonly asked?: RedisAddress;
  /** Whether the next attempt has to send the text of the script. */
  readonly needsScript?: boolean;
}

/** How long a redirection counts against a view that still names the old owner, ms. */
const MOVED_MS = 5_000;
/** Least time between two questions to the topology, ms. */
const REFRESH_PAUSE_MS = 100;

interface Moved {
  readonly address: RedisAddress;
  /** The owner of the slot that the topology named at the time of the redirection. */
  readonly viewOwner: string | undefined;
  readonly until: number;
}

/**
 * Which link leads to a slot. The view of the topology says it, except where a server has redirected us since. Commands
 * that are followed by WAIT have links of their own, because WAIT holds up everything behind it on its connection.
 */
export class Routes {
  readonly #options: RoutesOptions;
  readonly #stored = new Map<string, CommandLink>();
  readonly #replicated = new Map<string, CommandLink>();
  readonly #moved = new Map<number, Moved>();
  #isRefreshing = false;

  constructor(options: RoutesOptions) {
    this.#options = options;
  }

  /** The link to the master of a slot; `undefined`: nobody is known to serve the slot. */
  linkTo(slot: number, isReplicated: boolean): CommandLink | undefined {
    const address = this.#ownerOf(slot);
    return address && this.linkAt(address, isReplicated);
  }

  linkAt(address: RedisAddress, isReplicated: boolean): CommandLink {
    const links = isReplicated ? this.#replicated : this.#stored;
    const name = formatAddress(address);
    let link = links.get(name);
    if (!link) {
      const confirm = (at: RedisAddress) => this.#options.topology.confirmMaster(at);
      link = new CommandLink(address, { ...this.#options, confirm });
      links.set(name, link);
    }
    return link;
  }

  /**
   * Learns from an error on this link, and says how to try again.
   * @param wasAsked whether the command went there because the owner of the slot had sent it there
   */
  learn(slot: number, link: CommandLink, error: Error, wasAsked: boolean): RetryHint {
    this.#options.onError?.(link.address, slot, error);
    const redirection = redirectionOf(error);
    if (redirection?.kind === 'MOVED') {
      this.#follow(slot, redirection, link);
      return { isSoon: true };
    }
    if (redirection) return { isSoon: true, asked: addressOf(redirection, link) };
    // The owner of the slot would not load the script, but send us here again.
    if (isScriptMissing(error)) return { isSoon: true, needsScript: true, ...(wasAsked && { asked: link.address }) };
    if (isCrossSlot(error)) return { isSoon: true };
    if (isReadOnly(error)) link.condemn('it is read-only');
    if (mayHaveMoved(error)) this.refresh();
    return { isSoon: false };
  }

  /** Notes that a server said MOVED: the slot lives elsewhere for good. */
  #follow(slot: number, redirection: Redirection, from: CommandLink): void {
    const address = addressOf(redirection, from);
    const viewOwner = this.#options.topology.view?.owners.get(slot);
    this.#moved.set(slot, { address, viewOwner, until: this.#options.clock.now() + MOVED_MS });
    this.refresh();
  }

  /** Has the topology ask again who is master. A new answer comes as a change of view. */
  refresh(): void {
    if (this.#isRefreshing) return;
    this.#isRefreshing = true;
    const { clock, topology } = this.#options;
    void topology.refresh().finally(() =>
      clock.after(REFRESH_PAUSE_MS, () => {
        this.#isRefreshing = false;
      }),
    );
  }

  /** Takes over a new view: links to servers that are no masters any more end once everything on them is answered. */
  adopt({ masters, owners }: TopologyView): void {
    for (const [slot, { viewOwner }] of this.#moved) {
      if (owners.get(slot) !== viewOwner) this.#moved.delete(slot);
    }
    const moved = new Set([...this.#moved.values()].map(({ address }) => formatAddress(address)));
    for (const links of [this.#stored, this.#replicated]) {
      for (const [name, link] of links) {
        if (masters.has(name) || moved.has(name)) continue;
        link.retire();
        links.delete(name);
      }
    }
  }

  close(): void {
    for (const links of [this.#stored, this.#replicated]) for (const link of links.values()) link.close();
  }

  #ownerOf(slot: number): RedisAddress | undefined {
    const moved = this.#moved.get(slot);
    if (moved && moved.until > this.#options.clock.now()) return moved.address;
    if (moved) this.#moved.delete(slot);
    const { view } = this.#options.topology;
    const owner = view?.owners.get(slot);
    return owner === undefined ? undefined : view?.masters.get(owner);
  }
}

function addressOf({ host, port }: Redirection, from: CommandLink): RedisAddress {
  return { host: host || from.address.host, port };
}
