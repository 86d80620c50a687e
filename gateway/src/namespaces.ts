import { namespaceOf } from '@fanfare/protocol';
import type { ChannelSpec } from './broker/broker.js';

/**
 * Which clients may do something: none, those with a permission in their token, the user whose name follows that of the
 * namespace, any user, anyone, or whom the application allows when it is asked. Each but `none` and `hook` includes
 * those with a permission.
 */
export type Access = 'none' | 'token' | 'owner' | 'authenticated' | 'anyone' | 'hook';

/** The settings of one namespace, as configured. */
export interface NamespaceSettings {
  readonly durable: boolean;
  readonly historySize: number;
  readonly historyTtlMs: number;
  readonly subscribe: Access;
  readonly publish: Access;
  /** Who may read the history; absent: as `subscribe` says. */
  readonly historyAccess?: Access | undefined;
  readonly presence: boolean;
  /** Who may see the members, where `presence` is on; absent: as `subscribe` says. */
  readonly presenceAccess?: Access | undefined;
  /** Largest payload, bytes as published. */
  readonly maxMessageBytes: number;
}

/** A channel together with the settings of its namespace. */
export interface ChannelPolicy extends ChannelSpec, NamespaceSettings {}

/** Channel names to their settings. */
export class Namespaces {
  readonly #settings: ReadonlyMap<string, NamespaceSettings>;
  /** Largest `maxMessageBytes` of any namespace. */
  readonly maxMessageBytes: number;

  /** The default namespace is the one named `""`. */
  constructor(settings: ReadonlyMap<string, NamespaceSettings>) {
    this.#settings = settings;
    this.maxMessageBytes = Math.max(...[...settings.values()].map((one) => one.maxMessageBytes));
  }

  /** `undefined`: its namespace is not configured (`unknown_channel`). The name itself is not checked. */
  policy(channel: string): ChannelPolicy | undefined {
    const settings = this.#settings.get(namespaceOf(channel));
    return settings && policyOf(channel, settings);
  }
}

/** Every publish makes one, and a spread behind a field takes ten times as long as a literal. */
function policyOf(name: string, settings: NamespaceSettings): ChannelPolicy {
  const { durable, historySize, historyTtlMs, maxMessageBytes } = settings;
  const { subscribe, publish, historyAccess, presence, presenceAccess } = settings;
  return {
    name,
    durable,
    historySize,
    historyTtlMs,
    maxMessageBytes,
    subscribe,
    publish,
    historyAccess,
    presence,
    presenceAccess,
  } satisfies Record<keyof Required<ChannelPolicy>, unknown>;
}
