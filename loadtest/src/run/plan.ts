import type { AckPosition, AckSummary } from '../audit/ack-log.js';
import type { Offender } from '../audit/receipts.js';
import type { Group } from '../scenario/scenario.js';
import type { Tick } from './tally.js';

/** How connections are let in. */
export interface TokenPlan {
  /** One token for all connections. */
  readonly token?: string | undefined;
  /** Secret with which a token for each connection is signed, by HS256. */
  readonly secret?: string | undefined;
}

/** Where a run's gateways are; connections are spread over them. */
export interface TargetPlan {
  /** URLs for WebSockets, with the scheme `ws:` or `wss:`. */
  readonly urls: readonly string[];
  /** URLs for HTTP calls, with the scheme `http:` or `https:`, in the same order. */
  readonly apis: readonly string[];
  readonly apiKey: string | undefined;
  readonly tokens: TokenPlan;
}

/** A group's part in one worker: connections `first`, `first + stride`, … */
export interface Share {
  readonly name: string;
  readonly group: Group;
  readonly first: number;
  readonly stride: number;
  readonly count: number;
  /** Whether this worker publishes for the group. */
  readonly publishes: boolean;
  readonly firstStream: number;
}

export interface WorkerPlan {
  readonly runId: string;
  readonly seed: number;
  readonly target: TargetPlan;
  readonly shares: readonly Share[];
  /** Local addresses to connect from. Empty: the system chooses. */
  readonly localAddresses: readonly string[];
  readonly verifyEvery: number;
  /** What is added to the clock of this machine, us. */
  readonly clockOffsetUs: number;
  /** Most connections that are being made at a time. */
  readonly connecting: number;
}

/** A request to a worker. Each is answered by a {@link WorkerReply} with its `id`. */
export type WorkerRequest =
  | { readonly do: 'begin'; readonly plan: WorkerPlan }
  /**
   * Sets the load: shares of the connections and of the rates, 0 to 1. If `publish` is `undefined`, nothing is
   * published any more.
   */
  | { readonly do: 'load'; readonly connections: number; readonly publish: number | undefined }
  | { readonly do: 'tick' }
  /** Cuts a share of the group's connections, and of all groups if none is named. */
  | { readonly do: 'cut'; readonly group?: string | undefined; readonly share: number; readonly seed: number }
  | { readonly do: 'stall'; readonly share: number; readonly ms: number; readonly seed: number }
  /** Asks how many messages were published and are not settled. */
  | { readonly do: 'open' }
  | { readonly do: 'acks' }
  /** Waits until everybody has what was acknowledged, or nothing has come for a while; then audits. */
  | { readonly do: 'audit'; readonly acks: readonly AckSummary[]; readonly patienceMs: number }
  | {
      readonly do: 'positions';
      readonly wanted: readonly { readonly channel: string; readonly stream: number; readonly n: number }[];
    }
  | { readonly do: 'close' };

export interface Loss {
  readonly channel: string;
  readonly stream: number;
  readonly subscriber: string;
  readonly ranges: readonly (readonly [from: number, to: number])[];
  /**
   * The first position that the subscriber received of each epoch, where it is known, because the log may be too short
   * to show it.
   */
  readonly epochs: readonly AckPosition[];
  /** Where resets put the subscriber in epochs in which it had not been. */
  readonly entered: readonly AckPosition[];
}

export interface WorkerReply {
  readonly id: number;
  readonly error?: string;
  readonly tick?: Tick;
  readonly open?: number;
  readonly skipped?: number;
  readonly acks?: readonly AckSummary[];
  readonly offenders?: readonly Offender[];
  /** The messages that were lost, or most of them if they are very many. */
  readonly losses?: readonly Loss[];
  readonly positions?: readonly (AckPosition | undefined)[];
}

export function channelName({ durable, namespace }: Group, runId: string, group: string, index: number): string {
  return `${namespace ?? (durable ? 'demo' : 'live')}:load-${runId}-${group}-${index}`;
}
