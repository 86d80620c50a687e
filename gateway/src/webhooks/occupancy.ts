import type { Clock } from '../clock.js';
import type { ChannelPolicy } from '../namespaces.js';
import type { PresenceStore } from '../presence/presence-store.js';
import type { Client } from '../session/client.js';
import type { SessionListener } from '../session/services.js';

/**
 * Name of a companion channel, whose members are the gateways that have subscribers on the given channel. The first
 * gateway to join it makes the given channel occupied, and the last to leave makes it vacated. No client can name it.
 */
function occupancyChannel(channel: string): string {
  return ` occupancy ${channel}`;
}

/** The channel to which such a companion belongs; `undefined` if the name is not that of a companion. */
export function occupiedChannel(name: string): string | undefined {
  return /^ occupancy (.*)$/s.exec(name)?.[1];
}

/**
 * How long a channel without subscribers here still counts as occupied, ms, so that clients that come and go cause no
 * events.
 */
const LINGER_MS = 5_000;

/**
 * Tells, over all gateways, which channels have subscribers. It stands on presence, in which the gateways are members:
 * a gateway that is killed leaves as its own members do.
 */
export class Occupancy implements SessionListener {
  readonly #store: PresenceStore;
  readonly #clock: Clock;
  readonly #gateway: string;
  /** The clients on each channel. The set is empty while the channel lingers. */
  readonly #clients = new Map<string, Set<Client>>();

  constructor(store: PresenceStore, clock: Clock, gateway: string) {
    this.#store = store;
    this.#clock = clock;
    this.#gateway = gateway;
  }

  onEntered(client: Client, { name }: ChannelPolicy): void {
    const clients = this.#clients.get(name);
    if (clients) {
      clients.add(client);
      return;
    }
    this.#clients.set(name, new Set([client]));
    void this.#store.add(occupancyChannel(name), { session: this.#gateway });
  }

  onLeft(client: Client, channel: string): void {
    const clients = this.#clients.get(channel);
    if (!clients?.delete(client) || clients.size > 0) return;
    this.#clock.after(LINGER_MS, () => {
      if (clients.size > 0 || this.#clients.get(channel) !== clients) return;
      this.#clients.delete(channel);
      this.#store.remove(occupancyChannel(channel), this.#gateway);
    });
  }
}
