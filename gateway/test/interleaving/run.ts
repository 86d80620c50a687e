import type { HubOptions } from '../../src/hub/hub-options.js';
import { FaultyLog } from '../support/faulty-broker.js';
import { BareClient } from './bare-client.js';
import { type AnyChannelLedger, ChannelLedger, LiveChannelLedger } from './channel-ledger.js';
import type { LineCounts, LineHabits } from './line.js';
import { ask } from './pages.js';
import { jsonPayload } from './payloads.js';
import { probe } from './probe.js';
import type { Beginning } from './reader-ledger.js';
import { SdkClient } from './sdk-client.js';
import type { ClientWorld, SimulatedClient } from './simulated-client.js';
import { NAMESPACES, VirtualGateway } from './virtual-gateway.js';
import { VirtualWorld } from './virtual-world.js';

/** The first ones are durable; the third forgets what is more than a few messages ago, the last one everything. */
export const CHANNELS = ['a', 'b', 'short:c', 'live:d'] as const;
export const CLIENTS = 3;
export const GATEWAYS = 2;

/** One step of a run. Indices are taken modulo what there is; faults of the log are of durable channels. */
export type Step =
  /** By a backend: all in one call. */
  | {
      readonly do: 'publish';
      readonly channel: number;
      readonly gateway: number;
      readonly count: number;
      readonly key?: number;
    }
  /** By a client over its connection: one by one, without waiting for answers. */
  | {
      readonly do: 'send';
      readonly channel: number;
      readonly client: number;
      readonly count: number;
      readonly key?: number;
    }
  | { readonly do: 'settle'; readonly steps: number }
  | { readonly do: 'pass'; readonly ms: number }
  | {
      readonly do: 'join';
      readonly client: number;
      readonly channel: number;
      /** `seen`: since a position that somebody else was told; `unknown`: one of no log. */
      readonly beginning?: { readonly rewind: number } | { readonly rewindMs: number } | 'seen' | 'unknown';
      readonly isSlow?: boolean;
    }
  | { readonly do: 'leave'; readonly client: number; readonly channel: number }
  | { readonly do: 'read'; readonly client: number; readonly count: number }
  | {
      readonly do: 'ask';
      readonly client: number;
      readonly channel: number;
      readonly from: 'after' | 'before' | 'newest';
      readonly limit: number;
    }
  | { readonly do: 'cut' | 'freeze' | 'thaw'; readonly client: number }
  | {
      readonly do: 'interrupt' | 'unsubscribe' | 'resume' | 'refuse' | 'veto' | 'lose' | 'depose' | 'doubt';
      readonly gateway: number;
      readonly channel: number;
    }
  | { readonly do: 'fork'; readonly channel: number; readonly lost: number; readonly noticed: boolean }
  | { readonly do: 'trim'; readonly channel: number; readonly kept: number }
  | { readonly do: 'kill'; readonly gateway: number };

export interface RunResult {
  readonly problems: readonly string[];
  readonly received: number;
  readonly resets: number;
  readonly lagged: number;
  /** On live channels. */
  readonly live: number;
  /** Pages of the history that were judged. */
  readonly pages: number;
  /** What clients were acknowledged. */
  readonly published: number;
  readonly lines: LineCounts;
  readonly trace: readonly string[];
}

/** Whatever is not with a client this long after everything works again is not coming: a stall. */
const STALL_MS = 90_000;

/** A small network: a window of a few frames, so that slow readers lag within a short run. */
const NETWORK = { kernelBytes: 250, maxBufferedBytes: 150 };

/** A position that no log has ever given. */
const UNKNOWN = { epoch: '7', offset: 2 };

/**
 * Runs the steps over two gateways, three clients and one log that fails on command, in virtual
 * time, then lets everything recover and asks for the books: each reader was given every message
 * after its position, once, in order, or a reset that the log justifies.
 */
export async function run(steps: readonly Step[], choices: readonly number[]): Promise<RunResult> {
  let next = 0;
  // The choices come round, each round another one: bad luck that came back for ever would let nobody catch up.
  const choose = (options: number) => {
    if (choices.length === 0) return 0;
    const round = Math.floor(next / choices.length);
    return ((choices[next++ % choices.length] as number) + round * 37) % options;
  };
  const world = new VirtualWorld(choose);
  const scene = new Scene(world, choose, steps);
  for (const step of steps) {
    scene.perform(step);
    if (step.do === 'settle') await world.settle(step.steps);
    else if (step.do === 'pass') await world.pass(step.ms);
    else await world.settle(1);
  }
  await scene.recover();
  return scene.result();
}

/** Whether it happens behind the backs of the gateways. */
function isHidden(step: Step): boolean {
  return step.do === 'lose' || step.do === 'depose' || (step.do === 'fork' && !step.noticed);
}

/** Whether nothing breaks by it, and no reader wants what is not there. */
function isCalm(step: Step): boolean {
  if (step.do === 'join') return !step.isSlow && typeof step.beginning !== 'string';
  return ['publish', 'send', 'settle', 'pass', 'leave', 'ask'].includes(step.do);
}

class Scene {
  readonly #world: VirtualWorld;
  readonly #choose: (options: number) => number;
  readonly #log: FaultyLog;
  readonly #channels: readonly AnyChannelLedger[];
  readonly #durable: readonly ChannelLedger[];
  readonly #live: readonly LiveChannelLedger[];
  readonly #gateways: VirtualGateway[] = [];
  /** Those that were killed too. */
  readonly #allGateways: VirtualGateway[] = [];
  readonly #clients: readonly SimulatedClient[];
  readonly #problems: string[] = [];
  #published = 0;
  /** Something happened that nothing told the gateways of: only then may an audit find anything. */
  readonly #hidden: boolean;
  readonly #isCalm: boolean;
  readonly #readsApart: boolean;
  readonly #hub: Partial<HubOptions>;
  /** In the end every line is cut and made anew, which mends whatever stands still; else the gateways are on their own. */
  readonly #makesAnew: boolean;
  readonly #habits: LineHabits;
  readonly #counts: LineCounts = { arrays: 0, covering: 0, positions: 0, spoiled: 0 };

  constructor(world: VirtualWorld, choose: (options: number) => number, steps: readonly Step[]) {
    this.#world = world;
    this.#choose = choose;
    this.#hidden = steps.some(isHidden);
    this.#isCalm = steps.every(isCalm);
    this.#readsApart = !this.#isCalm && choose(3) === 0;
    this.#makesAnew = choose(2) === 0;
    this.#hub = {
      ...(!this.#isCalm && choose(2) === 0 && { bufferRecords: 1 }),
      // Audits are for what nobody foresaw; where there is nothing of the kind, nothing may need one.
      ...(!this.#hidden && choose(2) === 0 && { auditMs: 24 * 3_600_000 }),
    };
    this.#habits = {
      hides: choose(2) === 0,
      rolls: choose(2) === 0,
      joins: choose(2) === 0,
      loses: choose(4) === 0,
    };
    this.#log = new FaultyLog({ clock: world });
    this.#channels = CHANNELS.map((name) => this.#openLedger(name));
    this.#durable = this.#channels.filter((channel) => channel instanceof ChannelLedger);
    this.#live = this.#channels.filter((channel) => channel instanceof LiveChannelLedger);
    for (let i = 0; i < GATEWAYS; i++) this.#gateways.push(this.#createGateway());
    const around: ClientWorld = {
      world,
      choose,
      habits: this.#habits,
      counts: this.#counts,
      hidden: this.#hidden,
      isCalm: this.#isCalm,
      pickGateway: () => pick(this.#gateways, choose(GATEWAYS)),
    };
    this.#clients = Array.from({ length: CLIENTS }, (_, index) => {
      const Software = index === CLIENTS - 1 && choose(2) === 0 ? BareClient : SdkClient;
      return new Software(`client ${index}`, around);
    });
  }

  perform(step: Step): void {
    switch (step.do) {
      case 'publish':
        this.#publish(step);
        break;
      case 'send':
        for (let i = 0; i < step.count; i++) {
          const key = keyOf(step);
          pick(this.#clients, step.client).publish(pick(this.#channels, step.channel), ++this.#published, key);
        }
        return;
      case 'join':
        this.#join(step);
        break;
      case 'leave':
        pick(this.#clients, step.client).leave(pick(this.#channels, step.channel));
        break;
      case 'read':
        pick(this.#clients, step.client).read(step.count);
        break;
      case 'ask': {
        const channel = pick(this.#durable, step.channel);
        const { from, limit } = step;
        const position = from === 'newest' || !channel.seen ? {} : { [from]: channel.seen };
        pick(this.#clients, step.client).ask(channel, ask(channel, { ...position, limit }));
        break;
      }
      case 'cut':
      case 'freeze':
      case 'thaw':
        pick(this.#clients, step.client)[step.do]();
        break;
      case 'interrupt':
      case 'resume':
      case 'doubt':
        pick(this.#gateways, step.gateway).broker[step.do](pick(this.#channels, step.channel).spec.name);
        break;
      case 'unsubscribe':
        pick(this.#gateways, step.gateway).broker.unsubscribed(pick(this.#channels, step.channel).spec.name);
        break;
      case 'refuse':
        pick(this.#gateways, step.gateway).broker.refuseNext(pick(this.#durable, step.channel).spec.name);
        break;
      case 'veto':
        pick(this.#gateways, step.gateway).broker.veto(pick(this.#durable, step.channel).spec.name);
        break;
      case 'lose':
        pick(this.#gateways, step.gateway).broker.loseNext(pick(this.#channels, step.channel).spec.name);
        break;
      case 'depose':
        pick(this.#gateways, step.gateway).broker.depose(pick(this.#durable, step.channel).spec);
        break;
      case 'fork':
        this.#fork(pick(this.#durable, step.channel), step.lost, step.noticed);
        break;
      case 'trim': {
        const channel = pick(this.#durable, step.channel);
        const toOffset = channel.view().head.offset - step.kept;
        if (toOffset <= channel.trimmedTo) return;
        channel.trimmedTo = toOffset;
        this.#log.trim(channel.spec, toOffset);
        break;
      }
      case 'kill': {
        const index = step.gateway % GATEWAYS;
        this.#gateways[index]?.kill();
        this.#gateways[index] = this.#createGateway();
      }
    }
  }

  /** Everything works again; then the world comes to rest. */
  async recover(): Promise<void> {
    for (const client of this.#clients) {
      client.thaw();
      client.read(Number.POSITIVE_INFINITY);
    }
    await this.#world.pass(1_000);
    if (this.#makesAnew) {
      for (const gateway of this.#gateways) for (const { spec } of this.#channels) gateway.broker.interrupt(spec.name);
      await this.#world.pass(100);
    }
    // A link that led to a deposed master is made anew as the engine does it; healthy ones are left alone.
    for (const gateway of this.#gateways) for (const { spec } of this.#channels) gateway.broker.heal(spec.name);
    await this.#world.pass(STALL_MS);
    for (const client of this.#clients) client.mend();
    if (this.#habits.loses) {
      // What a line lost last shows with the next message.
      for (const index of this.#durable.keys()) this.#publish({ do: 'publish', channel: index, gateway: 0, count: 3 });
      await this.#world.pass(30_000);
    }
    if (this.#hidden) await this.#passThoseAhead();
    // Whether somebody is on a live channel shows with the next message.
    for (const index of this.#live.keys())
      this.#publish({ do: 'publish', channel: this.#durable.length + index, gateway: 0, count: 1 });
    await this.#world.pass(1_000);
    if (this.#choose(2) === 0) {
      const channel = pick(this.#durable, this.#choose(this.#durable.length));
      this.#problems.push(
        ...(await probe(this.#world, pick(this.#gateways, this.#choose(GATEWAYS)), channel, this.#choose)),
      );
    }
    for (const client of this.#clients) client.finish();
    for (const channel of this.#durable) this.#problems.push(...channel.problems());
  }

  /**
   * A gateway that nothing told what its log had become may have taken a reader's lost position for good, while another
   * reader of the client got the channel from elsewhere: that shows when the log comes by there.
   */
  async #passThoseAhead(): Promise<void> {
    for (const [index, channel] of this.#durable.entries()) {
      const { head } = channel.view();
      const ends = this.#clients.flatMap((client) => client.positionsOn(channel));
      const furthest = Math.max(...ends.map(({ epoch, offset }) => (Number(epoch) === head.epoch ? -1 : offset)));
      if (furthest < head.offset) continue;
      for (let offset = head.offset; offset <= furthest; offset++) {
        this.#publish({ do: 'publish', channel: index, gateway: 0, count: 1 });
        await this.#world.pass(10_000);
      }
    }
  }

  result(): RunResult {
    const ledgers = this.#clients.flatMap((client) => client.ledgers);
    const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);
    const resets = sum(ledgers.map((ledger) => ledger.resets));
    const lagged = sum(this.#allGateways.map(({ stats }) => stats.lagged));
    const isPrompt = lagged + sum(this.#allGateways.map(({ stats }) => stats.queueOverflows)) === 0;
    return {
      problems: [
        ...this.#problems,
        ...ledgers.flatMap((ledger) => ledger.problems),
        ...this.#clients.flatMap((client) => client.problems),
        ...this.#allGateways.flatMap((gateway) => gateway.faults),
        ...(this.#hidden ? [] : this.#gateways.flatMap((gateway) => gateway.findings())),
        // A log that is shorter than a burst is no reason: all of it was pushed.
        ...(this.#isCalm && isPrompt && !this.#habits.loses && resets > 0 ? [`${resets} resets for no reason`] : []),
      ],
      received: sum(ledgers.map((ledger) => ledger.received)),
      resets,
      lagged,
      live: sum(ledgers.map((ledger) => ('begins' in ledger && !('moved' in ledger) ? ledger.received : 0))),
      pages: sum(this.#clients.map(({ pages }) => pages)),
      published: sum(this.#clients.map(({ published }) => published)),
      lines: this.#counts,
      trace: this.#world.trace,
    };
  }

  #openLedger(name: string): AnyChannelLedger {
    const policy = NAMESPACES.policy(name);
    if (!policy) throw new Error('no such namespace');
    if (policy.durable) return new ChannelLedger(this.#log, policy, this.#habits.hides);
    const dropped = () => this.#allGateways.reduce((sum, { stats }) => sum + stats.liveDropped, 0);
    return new LiveChannelLedger(this.#log, policy, dropped);
  }

  #join({ client, channel, beginning, isSlow = false }: Extract<Step, { do: 'join' }>): void {
    const ledger = pick(this.#channels, channel);
    const seen = ledger instanceof ChannelLedger ? ledger.seen : undefined;
    let from: Beginning = {};
    if (beginning === 'unknown') from = { since: UNKNOWN };
    else if (beginning === 'seen') from = seen ? { since: seen } : {};
    else if (beginning) from = beginning;
    pick(this.#clients, client).join(ledger, { beginning: from, isSlow });
  }

  /** A promotion; what it lost is gone from the log at once. `noticed`: the gateways' links see it. */
  #fork(channel: ChannelLedger, lost: number, noticed: boolean): void {
    this.#log.fork(channel.spec, Math.max(0, channel.view().head.offset - lost));
    channel.forked();
    if (!noticed) return;
    for (const gateway of this.#gateways) {
      gateway.broker.interrupt(channel.spec.name);
      this.#world.schedule(() => gateway.broker.resume(channel.spec.name), 'link is back');
    }
  }

  #publish(step: Extract<Step, { do: 'publish' }>): void {
    const { spec } = pick(this.#channels, step.channel);
    for (let i = 0; i < step.count; i++) {
      const message = { payload: jsonPayload(++this.#published), key: keyOf(step) };
      void pick(this.#gateways, step.gateway).publish(spec, [message]);
    }
  }

  #createGateway(): VirtualGateway {
    const gateway = new VirtualGateway(this.#world, this.#log, {
      network: NETWORK,
      node: `node${this.#allGateways.length}`,
      readsApart: this.#readsApart,
      hub: this.#hub,
      onPushLost: (record) => {
        if (record.epoch === 0) for (const channel of this.#live) channel.lost(record);
      },
    });
    this.#allGateways.push(gateway);
    return gateway;
  }
}

function pick<T>(list: readonly T[], index: number): T {
  return list[index % list.length] as T;
}

function keyOf({ key }: { readonly key?: number }): string | undefined {
  return key === undefined ? undefined : `key ${key}`;
}
