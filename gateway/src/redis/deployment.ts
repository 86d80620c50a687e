import type { Clock } from '../clock.js';
import type { CommandLinkTimings } from './command-link.js';
import { probeName, shardIn } from './keys.js';
import type { LinkOptions } from './link.js';
import type { RedisLog } from './log.js';
import { Refusals } from './refusals.js';
import { Routes } from './routes.js';
import type { Script } from './script.js';
import { ShardCommands } from './shard-commands.js';
import type { PollTimings } from './topology/polled-topology.js';
import { createTopology } from './topology/topologies.js';
import type { Topology, TopologyView } from './topology/topology.js';
import { dataConnectionOptions, type RedisTarget } from './url.js';

/** Between two questions to one node who is master, and what follows from them. */
export const POLL_TIMINGS: PollTimings = {
  topologyPollMs: 1_000,
  topologyHurriedPollMs: 200,
  topologyAnswerMs: 1_000,
  handshakeMs: 1_500,
  retry: { minMs: 50, maxMs: 2_000 },
};

export const COMMAND_TIMINGS: CommandLinkTimings = {
  handshakeMs: 1_500,
  suspectMs: 500,
  replyMs: 3_000,
  retry: { minMs: 20, maxMs: 500 },
};

/** How long an attempt to write may take that asks a server whether it still refuses, ms. */
const PROBE_DEADLINE_MS = 500;

export interface RedisDeploymentOptions {
  readonly target: RedisTarget;
  readonly clock: Clock;
  readonly log?: RedisLog | undefined;
  /** Of the questions who is master, and of connections for commands; what is not given has its default. */
  readonly timings?: Partial<PollTimings & CommandLinkTimings>;
}

/** What stands on a deployment, and is told what changes. */
export interface Tenant {
  /** Called when it changed who is master, or is known for the first time. */
  onView?(view: TopologyView): void;
  /** Called when a connection can take commands, the first time or again. */
  onUp?(): void;
  /** Whether it misses a master, so that news are worth more questions. */
  isLost?(): boolean;
}

/**
 * One Redis deployment, shared by everything that keeps something there: who is master, connections for
 * commands, and calls on them. What it serves joins it before `start`.
 */
export class RedisDeployment {
  readonly target: RedisTarget;
  readonly clock: Clock;
  /** How connections to servers that hold data log in, and where. */
  readonly link: LinkOptions;
  /** Where the masters are. */
  readonly topology: Topology;
  /** The connections for commands, by slot. */
  readonly routes: Routes;
  /** Scripts and commands on the master of a virtual shard: what most of those who keep something need. */
  readonly commands: ShardCommands;
  /** Masters that refuse writes. */
  readonly refusals: Refusals;
  readonly #scripts: Script[] = [];
  readonly #tenants: Tenant[] = [];
  #isStarted = false;

  constructor({ target, clock, log, timings = {} }: RedisDeploymentOptions) {
    const commandTimings = { ...COMMAND_TIMINGS, ...timings };
    this.target = target;
    this.clock = clock;
    this.link = dataConnectionOptions(target);
    this.topology = createTopology(target, {
      clock,
      link: this.link,
      timings: { ...POLL_TIMINGS, ...timings },
      isHurried: () => this.#tenants.some((tenant) => tenant.isLost?.() ?? false),
      onChange: (view) => this.#adopt(view),
    });
    this.refusals = new Refusals({
      clock,
      log,
      probe: (slot) => {
        const shard = shardIn(slot);
        const write = ['SET', probeName(shard), '', 'PX', 1] as const;
        return this.commands.send(shard, write, { isIdempotent: true, deadlineMs: PROBE_DEADLINE_MS });
      },
    });
    this.routes = new Routes({
      clock,
      link: this.link,
      topology: this.topology,
      timings: commandTimings,
      scripts: this.#scripts,
      onError: (at, slot, error) => this.refusals.note(at, slot, error),
      onUp: () => this.#up(),
    });
    this.commands = new ShardCommands({
      clock,
      topology: this.topology,
      routes: this.routes,
      retry: commandTimings.retry,
    });
  }

  /** From now on it is told. `scripts` are brought along when a connection for commands opens. */
  join(tenant: Tenant, scripts: readonly Script[] = []): void {
    this.#tenants.push(tenant);
    this.#scripts.push(...scripts);
  }

  /** Begins to ask who is master; nothing if it did already. */
  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.topology.start();
  }

  /** What is still under way fails. */
  close(): void {
    this.topology.close();
    this.refusals.close();
    this.commands.close();
    this.routes.close();
  }

  #adopt(view: TopologyView): void {
    this.routes.adopt(view);
    this.refusals.adopt(view.masters);
    for (const tenant of this.#tenants) tenant.onView?.(view);
    this.commands.wake();
  }

  #up(): void {
    for (const tenant of this.#tenants) tenant.onUp?.();
    this.commands.wake();
  }
}
