import { type Client, createClient, type Subscription } from '@fanfare/client';
import type { HubOptions } from '../../src/hub/hub-options.js';
import { FaultyLog } from '../support/faulty-broker.js';
import { ChannelLedger, ClientLedger } from './ledger.js';
import { Line, type LineCounts, type LineHabits, partsOf } from './line.js';
import { NAMESPACES, VirtualGateway } from './virtual-gateway.js';
import type { VirtualSocket } from './virtual-network.js';
import { VirtualWorld } from './virtual-world.js';

export const CHANNELS = ['a', 'b'] as const;
export const CLIENTS = 3;
export const GATEWAYS = 2;

/** One step of a run. Indices are taken modulo what there is. */
export type Step =
  | {
      readonly do: 'publish';
      readonly channel: number;
      readonly gateway: number;
      readonly count: number;
      readonly key?: number;
    }
  | { readonly do: 'settle'; readonly steps: number }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'toggle'; readonly client: number; readonly channel: number }
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
  readonly lines: LineCounts;
  readonly trace: readonly string[];
}

/** Whatever is not with a client this long after everything works again is not coming: a stall. */
const STALL_MS = 90_000;

/** A small network: a window of a few frames, so that slow readers lag within a short run. */
const NETWORK = { kernelBytes: 250, maxBufferedBytes: 150 };

/**
 * Runs the steps over two gateways, three SDK clients and one log that fails on command, in virtual
 * time, then lets everything recover and asks for the ledger: each client was given every message
 * after its position, once, in order, or a reset that the log justifies.
 */
export async function run(steps: readonly Step[], choices: readonly number[]): Promise<RunResult> {
  let next = 0;
  const choose = (options: number) =>
    choices.length === 0 ? 0 : (choices[next++ % choices.length] as number) % options;
  const world = new VirtualWorld(choose);
  const scene = new Scene(world, choose, steps.some(isHidden));
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

class Scene {
  readonly #world: VirtualWorld;
  readonly #log: FaultyLog;
  readonly #channels: ChannelLedger[];
  readonly #gateways: VirtualGateway[];
  readonly #clients: SimulatedClient[];
  readonly #problems: string[] = [];
  #published = 0;
  /** Something happened that nothing told the gateways of: only then may an audit find anything. */
  readonly #hidden: boolean;
  #nodes = 0;
  readonly #readsApart: boolean;
  readonly #hub: Partial<HubOptions>;
  /** In the end every line is cut and made anew, which mends whatever stands still; else the gateways are on their own. */
  readonly #makesAnew: boolean;
  readonly #habits: LineHabits;
  readonly #counts: LineCounts = { arrays: 0, covering: 0, positions: 0, spoiled: 0 };

  constructor(world: VirtualWorld, choose: (options: number) => number, hidden: boolean) {
    this.#world = world;
    this.#hidden = hidden;
    this.#readsApart = choose(3) === 0;
    this.#makesAnew = choose(2) === 0;
    this.#hub = {
      ...(choose(2) === 0 && { bufferRecords: 1 }),
      // Audits are for what nobody foresaw; where there is nothing of the kind, nothing may need one.
      ...(!hidden && choose(2) === 0 && { auditMs: 24 * 3_600_000 }),
    };
    this.#habits = {
      hides: choose(2) === 0,
      rolls: choose(2) === 0,
      joins: choose(2) === 0,
      loses: choose(4) === 0,
    };
    this.#log = new FaultyLog({ clock: world });
    this.#channels = CHANNELS.map((name) => {
      const policy = NAMESPACES.policy(name);
      if (!policy) throw new Error('no such namespace');
      return new ChannelLedger(this.#log, policy, this.#habits.hides);
    });
    this.#gateways = Array.from({ length: GATEWAYS }, () => this.#createGateway());
    this.#clients = Array.from(
      { length: CLIENTS },
      (_, index) =>
        new SimulatedClient(`client ${index}`, {
          world,
          choose,
          habits: this.#habits,
          counts: this.#counts,
          pickGateway: () => this.#pick(this.#gateways, choose(GATEWAYS)),
        }),
    );
  }

  perform(step: Step): void {
    switch (step.do) {
      case 'publish':
        this.#publish(step);
        break;
      case 'toggle': {
        const channel = this.#pick(this.#channels, step.channel);
        this.#pick(this.#clients, step.client).toggle(channel);
        break;
      }
      case 'cut':
      case 'freeze':
      case 'thaw':
        this.#pick(this.#clients, step.client)[step.do]();
        break;
      case 'interrupt':
      case 'resume':
        this.#pick(this.#gateways, step.gateway).broker[step.do](this.#pick(this.#channels, step.channel).spec.name);
        break;
      case 'unsubscribe':
        this.#pick(this.#gateways, step.gateway).broker.unsubscribed(
          this.#pick(this.#channels, step.channel).spec.name,
        );
        break;
      case 'refuse':
        this.#pick(this.#gateways, step.gateway).broker.refuseNext(this.#pick(this.#channels, step.channel).spec.name);
        break;
      case 'veto':
        this.#pick(this.#gateways, step.gateway).broker.veto(this.#pick(this.#channels, step.channel).spec.name);
        break;
      case 'lose':
        this.#pick(this.#gateways, step.gateway).broker.loseNext(this.#pick(this.#channels, step.channel).spec.name);
        break;
      case 'doubt':
        this.#pick(this.#gateways, step.gateway).broker.doubt(this.#pick(this.#channels, step.channel).spec.name);
        break;
      case 'depose':
        this.#pick(this.#gateways, step.gateway).broker.depose(this.#pick(this.#channels, step.channel).spec);
        break;
      case 'fork':
        this.#fork(this.#pick(this.#channels, step.channel), step.lost, step.noticed);
        break;
      case 'trim': {
        const channel = this.#pick(this.#channels, step.channel);
        const toOffset = channel.view().head.offset - step.kept;
        if (toOffset <= channel.trimmedTo) break;
        channel.trimmedTo = toOffset;
        this.#log.trim(channel.spec, toOffset);
        break;
      }
      case 'kill': {
        const index = step.gateway % GATEWAYS;
        this.#gateways[index]?.kill();
        this.#gateways[index] = this.#createGateway();
        break;
      }
    }
  }

  /** Everything works again; then the world comes to rest. */
  async recover(): Promise<void> {
    for (const client of this.#clients) client.thaw();
    await this.#world.pass(1_000);
    if (this.#makesAnew) {
      for (const gateway of this.#gateways) for (const { spec } of this.#channels) gateway.broker.interrupt(spec.name);
      await this.#world.pass(100);
    }
    // A link that led to a deposed master is made anew as the engine does it; healthy ones are left alone.
    for (const gateway of this.#gateways) for (const { spec } of this.#channels) gateway.broker.heal(spec.name);
    await this.#world.pass(STALL_MS);
    if (this.#habits.loses) {
      // What a line lost last shows with the next message.
      for (const client of this.#clients) client.mend();
      for (const index of this.#channels.keys()) this.#publish({ do: 'publish', channel: index, gateway: 0, count: 3 });
      await this.#world.pass(30_000);
    }
    for (const client of this.#clients) client.finish();
    for (const channel of this.#channels) {
      const keys = channel.view().entries.flatMap(({ key }) => (key === undefined ? [] : [key]));
      if (new Set(keys).size < keys.length)
        this.#problems.push(`a key is twice in the log of ${channel.spec.name}: ${keys}`);
    }
  }

  result(): RunResult {
    const ledgers = this.#clients.flatMap((client) => client.ledgers);
    return {
      problems: [
        ...this.#problems,
        ...ledgers.flatMap((ledger) => ledger.problems),
        ...this.#clients.flatMap((client) => client.problems),
        ...this.#gateways.flatMap((gateway) => gateway.faults),
        ...(this.#hidden ? [] : this.#gateways.flatMap((gateway) => gateway.findings())),
      ],
      received: ledgers.reduce((sum, ledger) => sum + ledger.received, 0),
      resets: ledgers.reduce((sum, ledger) => sum + ledger.resets, 0),
      lagged: this.#gateways.reduce((sum, { stats }) => sum + stats.lagged, 0),
      lines: this.#counts,
      trace: this.#world.trace,
    };
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

  #publish({ channel, gateway, count, key }: Extract<Step, { do: 'publish' }>): void {
    const { spec } = this.#pick(this.#channels, channel);
    for (let i = 0; i < count; i++) {
      const n = ++this.#published;
      const payload = { format: 'json' as const, bytes: Buffer.from(JSON.stringify(n)) };
      const name = key === undefined ? undefined : `key ${key}`;
      void this.#pick(this.#gateways, gateway).publish(spec, [{ payload, key: name }]);
    }
  }

  #createGateway(): VirtualGateway {
    return new VirtualGateway(this.#world, this.#log, {
      network: NETWORK,
      node: `node${++this.#nodes}`,
      readsApart: this.#readsApart,
      hub: this.#hub,
    });
  }

  #pick<T>(list: readonly T[], index: number): T {
    return list[index % list.length] as T;
  }
}

interface ClientWorld {
  readonly world: VirtualWorld;
  readonly choose: (options: number) => number;
  readonly habits: LineHabits;
  readonly counts: LineCounts;
  readonly pickGateway: () => VirtualGateway;
}

/** The real SDK on the virtual network. */
class SimulatedClient {
  /** Its lines lose nothing from now on. */
  readonly mend: () => void;
  readonly ledgers: ClientLedger[] = [];
  readonly problems: string[] = [];
  readonly #name: string;
  readonly #loses: boolean;
  readonly #client: Client;
  readonly #active = new Map<string, { readonly subscription: Subscription; readonly ledger: ClientLedger }>();
  #socket: VirtualSocket | undefined;
  #line: Line | undefined;

  constructor(name: string, { world, choose, habits, counts, pickGateway }: ClientWorld) {
    this.#name = name;
    this.#loses = habits.loses;
    let isMended = false;
    this.mend = () => {
      isMended = true;
      if (this.#line) this.#line.isMended = true;
    };
    this.#client = createClient({
      url: 'ws://virtual/ws',
      clock: world,
      socket: ({ subprotocols }, handlers) => {
        const line = new Line(world, choose, habits, {
          counts,
          onWire: (wire) => handlers.onMessage(wire),
          onProblem: (what) => this.problems.push(`${name} ${what}`),
        });
        line.isMended = isMended;
        const socket = pickGateway().connect(
          {
            onOpen: () => handlers.onOpen(),
            onMessage: (wire) => line.push(wire),
            onClose: (code, reason) => {
              line.close();
              handlers.onClose(code, reason);
            },
          },
          subprotocols,
        );
        const end = (code: number) => {
          line.close();
          socket.closedByClient(code);
        };
        this.#socket = socket;
        this.#line = line;
        return { send: (wire) => socket.fromClient(wire), close: end, terminate: () => end(1006) };
      },
    });
    this.#client.on('error', (error) => this.problems.push(`${name}: ${String(error)}`));
    this.#client.connect();
  }

  toggle(channel: ChannelLedger): void {
    const { name } = channel.spec;
    const active = this.#active.get(name);
    if (active) {
      active.subscription.unsubscribe();
      this.#active.delete(name);
      return;
    }
    const ledger = new ClientLedger(`${this.#name} on ${name}`, channel, this.#loses);
    this.ledgers.push(ledger);
    const subscription = this.#client.channel(name).subscribe();
    subscription.on('subscribed', ({ position }) => position && ledger.at === undefined && ledger.stands(position));
    subscription.on('message', ({ epoch, offset, data }) => {
      const at = { epoch: epoch as string, offset: offset as number };
      ledger.message(at, partsOf(at.offset, data));
    });
    subscription.on('reset', ({ reason, position, previous }) => {
      // `epoch` and `position` frames may have moved it.
      ledger.moved(previous);
      ledger.reset(reason, position);
    });
    subscription.on('error', (error) => this.problems.push(`${this.#name} on ${name}: ${String(error)}`));
    this.#active.set(name, { subscription, ledger });
  }

  cut(): void {
    this.#socket?.cut();
  }

  freeze(): void {
    if (this.#socket) this.#socket.frozen = true;
  }

  thaw(): void {
    this.#socket?.thaw();
  }

  finish(): void {
    for (const { subscription, ledger } of this.#active.values()) {
      if (ledger.at === undefined) continue;
      ledger.moved(subscription.position ?? ledger.at);
      ledger.finish();
    }
    const { gaps, duplicatesDropped } = this.#client.stats;
    if (!this.#loses && gaps + duplicatesDropped > 0)
      this.problems.push(`${this.#name} took ${gaps} frames for gaps and ${duplicatesDropped} for repeated`);
    for (const { ledger } of this.#active.values())
      if (ledger.at === undefined) this.problems.push(`${this.#name} was never subscribed`);
    this.#client.close();
  }
}
