import { namespaceOf } from '@fanfare/protocol';
import type { ChannelSpec } from './broker/broker.js';

/** Who may subscribe or publish: with a permission in their token, any user, or everyone. */
export type Access = 'none' | 'token' | 'authenticated' | 'anyone';

/** The settings of one namespace, as configured. */
export interface NamespaceSettings {
  readonly durable: boolean;
  readonly historySize: number;
  readonly historyTtlMs: number;
  readonly subscribe: Exclude<Access, 'none'>;
  readonly publish: Access;
  readonly presence: boolean;
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
    return settings && { name: channel, ...settings };
  }
}
