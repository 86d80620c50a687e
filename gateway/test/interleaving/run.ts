import { type Client, createClient, type Subscription } from '@fanfare/client';
import type { ServerFrame } from '@fanfare/protocol';
import { jsonDialect } from '@fanfare/protocol/json';
import { FaultyLog } from '../support/faulty-broker.js';
import { ChannelLedger, ClientLedger } from './ledger.js';
import { NAMESPACES, VirtualGateway } from './virtual-gateway.js';
import type { VirtualSocket } from './virtual-network.js';
import { VirtualWorld } from './virtual-world.js';
import { WireCheck } from './wire-check.js';

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
      readonly do: 'interrupt' | 'resume' | 'lose' | 'depose' | 'doubt';
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
  readonly trace: readonly string[];
}

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
  const scene = new Scene(world, choose);
  for (const step of steps) {
    scene.perform(step);
    if (step.do === 'settle') await world.settle(step.steps);
    else if (step.do === 'pass') await world.pass(step.ms);
    else await world.settle(1);
  }
  await scene.recover();
  return scene.result();
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
  #hidden = false;
  #nodes = 0;
  readonly #readsApart: boolean;

  constructor(world: VirtualWorld, choose: (options: number) => number) {
    this.#world = world;
    this.#readsApart = choose(3) === 0;
    this.#log = new FaultyLog({ clock: world });
    this.#channels = CHANNELS.map((name) => {
      const policy = NAMESPACES.policy(name);
      if (!policy) throw new Error('no such namespace');
      return new ChannelLedger(this.#log, policy);
    });
    this.#gateways = Array.from({ length: GATEWAYS }, () => this.#createGateway());
    this.#clients = Array.from(
      { length: CLIENTS },
      (_, index) => new SimulatedClient(`client ${index}`, world, () => this.#pick(this.#gateways, choose(GATEWAYS))),
    );
  }

  perform(step: Step): void {
    if (step.do === 'lose' || step.do === 'depose') this.#hidden = true;
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
    for (const gateway of this.#gateways) {
      // A link that led to a deposed master, or that lost pushes, is made anew as the engine does it.
      for (const { spec } of this.#channels) gateway.broker.interrupt(spec.name);
    }
    await this.#world.pass(100);
    for (const gateway of this.#gateways) for (const { spec } of this.#channels) gateway.broker.resume(spec.name);
    await this.#world.pass(150_000);
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
      trace: this.#world.trace,
    };
  }

  /** A promotion; what it lost is gone from the log at once. `noticed`: the gateways' links see it. */
  #fork(channel: ChannelLedger, lost: number, noticed: boolean): void {
    this.#log.fork(channel.spec, Math.max(0, channel.view().head.offset - lost));
    channel.forked();
    if (!noticed) {
      this.#hidden = true;
      return;
    }
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
    return new VirtualGateway(this.#world, this.#log, NETWORK, `node${++this.#nodes}`, this.#readsApart);
  }

  #pick<T>(list: readonly T[], index: number): T {
    return list[index % list.length] as T;
  }
}

/** The real SDK on the virtual network. */
class SimulatedClient {
  readonly ledgers: ClientLedger[] = [];
  readonly problems: string[] = [];
  readonly #name: string;
  readonly #client: Client;
  readonly #active = new Map<string, { readonly subscription: Subscription; readonly ledger: ClientLedger }>();
  #socket: VirtualSocket | undefined;

  constructor(name: string, world: VirtualWorld, pickGateway: () => VirtualGateway) {
    this.#name = name;
    this.#client = createClient({
      url: 'ws://virtual/ws',
      clock: world,
      socket: ({ subprotocol }, handlers) => {
        const decoder = new TextDecoder();
        const check = new WireCheck((what) => this.problems.push(`${name} was sent ${what}`));
        const socket = pickGateway().connect(
          {
            onOpen: () => handlers.onOpen(),
            onMessage: (wire) => {
              const text = typeof wire === 'string' ? wire : decoder.decode(wire);
              for (const frame of jsonDialect.decodeAll(text)) check.received(frame as unknown as ServerFrame);
              handlers.onMessage(text);
            },
            onClose: (code, reason) => handlers.onClose(code, reason),
          },
          subprotocol,
        );
        this.#socket = socket;
        return {
          send: (wire) => socket.fromClient(wire),
          close: (code) => socket.closedByClient(code),
          terminate: () => socket.closedByClient(1006),
        };
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
    const ledger = new ClientLedger(`${this.#name} on ${name}`, channel);
    this.ledgers.push(ledger);
    const subscription = this.#client.channel(name).subscribe();
    subscription.on('subscribed', ({ position }) => position && ledger.at === undefined && ledger.stands(position));
    subscription.on('message', ({ epoch, offset, data }) => {
      ledger.message({ epoch: epoch as string, offset: offset as number }, JSON.stringify(data));
    });
    subscription.on('reset', ({ reason, position, previous }) => {
      // An `epoch` frame may have renamed the place.
      ledger.at = previous;
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
      ledger.at = subscription.position;
      ledger.finish();
    }
    for (const { ledger } of this.#active.values())
      if (ledger.at === undefined) this.problems.push(`${this.#name} was never subscribed`);
    this.#client.close();
  }
}
