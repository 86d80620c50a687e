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

/** Defaults for how often nodes are asked who is master, and for how long an answer may take. */
export const POLL_TIMINGS: PollTimings = {
  topologyPollMs: 1_000,
  topologyHurriedPollMs: 200,
  topologyAnswerMs: 1_000,
  handshakeMs: 1_500,
  backoff: { minMs: 50, maxMs: 2_000 },
};

export const COMMAND_TIMINGS: CommandLinkTimings = {
  handshakeMs: 1_500,
  suspectMs: 500,
  replyMs: 3_000,
  backoff: { minMs: 20, maxMs: 500 },
};

/** How long a trial write may take that finds out whether a server still refuses writes, ms. */
const PROBE_DEADLINE_MS = 500;

export interface RedisDeploymentOptions {
  readonly target: RedisTarget;
  readonly clock: Clock;
  readonly log?: RedisLog | undefined;
  /** Timings of the questions who is master, and of connections for commands. What is left out has its default. */
  readonly timings?: Partial<PollTimings & CommandLinkTimings>;
}

/** Something that keeps its data in a deployment, and is told when the deployment changes. */
export interface Tenant {
  /** Called when another server has become master, and when the masters are known for the first time. */
  onView?(view: TopologyView): void;
  /** Called when a connection can take commands, the first time or again. */
  onUp?(): void;
  /** Whether the tenant cannot reach a master that it needs; then nodes are asked more often who is master. */
  isLost?(): boolean;
}

/**
 * One Redis deployment, shared by everything in a gateway that keeps data in it. It knows who is master, holds the
 * connections for commands, and runs commands on them. Its tenants `join` before `start`.
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
  /** Runs scripts and commands on the master of a virtual shard, which is what most tenants need. */
  readonly commands: ShardCommands;
  /** Which masters refuse writes now, and why. */
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
      backoff: commandTimings.backoff,
    });
  }

  /** From now on the tenant is told of changes. Each new connection for commands loads `scripts` into its server. */
  join(tenant: Tenant, scripts: readonly Script[] = []): void {
    this.#tenants.push(tenant);
    this.#scripts.push(...scripts);
  }

  /** Begins to ask who is master. Does nothing if it was called before. */
  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.topology.start();
  }

  /** Closes all connections; commands that are still under way fail. */
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
