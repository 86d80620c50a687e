import type { ErrorFrame, Frame, Position, ServerFrame, SubscribedFrame, SubscribeFrame } from '@fanfare/protocol';
import { isResetReason } from '@fanfare/protocol';
import { type AnyChannelLedger, type At, ChannelLedger } from './channel-ledger.js';
import { partsOf } from './line.js';
import type { Asked } from './pages.js';
import { dataOf } from './payloads.js';
import { type Beginning, LiveReaderLedger, type ReaderLedger } from './reader-ledger.js';
import { type ClientWorld, type Joining, positionOf, SimulatedClient } from './simulated-client.js';

/** A channel that the client wants to be on. */
interface Place {
  readonly channel: AnyChannelLedger;
  readonly ledger: ReaderLedger | LiveReaderLedger;
  readonly beginning: Beginning;
  /** Where the client stands on a durable channel. */
  position: Position | undefined;
  /** Subscribes without an answer: what comes of the channel meanwhile is of an old run. */
  open: number;
  isOn: boolean;
}

interface Publish {
  readonly channel: AnyChannelLedger;
  readonly n: number;
  readonly key: string | undefined;
  wasSent: boolean;
}

type Request =
  | { readonly is: 'subscribe'; readonly place: Place; readonly since: Position | undefined }
  | { readonly is: 'unsubscribe' }
  | { readonly is: 'publish'; readonly publish: Publish; readonly isFirst: boolean }
  | { readonly is: 'history'; readonly channel: ChannelLedger; readonly asked: Asked };

/** What took effect on this connection, in the order of the requests. */
interface Effect {
  readonly id: number;
  readonly is: 'publish' | 'subscribe' | 'history';
  readonly at: At;
}

const AGAIN_MS = 200;
const RECONNECT_MS = 400;
const GRACE_MS = 10_000;
const BEFORE_CONNECTED_MS = 25_000;

/**
 * A client that does what docs/PROTOCOL.md says under "What a client does" and nothing else: no SDK, no deadlines
 * for answers, no state but positions. It waits for no reply before it asks on, so that what it asks of one channel
 * has to take effect in order.
 */
export class BareClient extends SimulatedClient {
  readonly #places = new Map<string, Place>();
  readonly #requests = new Map<number, Request>();
  /** Not sent yet, or sent over a connection that broke: with a key the same is sent again. */
  #unsent: Publish[] = [];
  #connection: { send(frame: Frame): void; close(code: number): void } | undefined;
  #effects = new Map<string, Effect[]>();
  #lastId = 0;
  #life = 0;
  #silenceMs = BEFORE_CONNECTED_MS;
  #heardAtMs = 0;
  #gaps = 0;
  #repeated = 0;
  #isOver = false;

  constructor(name: string, around: ClientWorld) {
    super(name, around);
    this.#open();
  }

  // --- what it is told to do -----------------------------------------------------------------------

  override join(channel: AnyChannelLedger, { beginning }: Joining): void {
    const { name } = channel.spec;
    if (this.#places.has(name)) {
      this.leave(channel);
      return;
    }
    const ledger = this.openLedger(channel);
    const isLive = ledger instanceof LiveReaderLedger;
    const place: Place = {
      channel,
      ledger,
      beginning: isLive ? {} : beginning,
      position: !isLive && 'since' in beginning ? beginning.since : undefined,
      open: 0,
      isOn: false,
    };
    if (!isLive && place.position) ledger.stands(place.position);
    this.#places.set(name, place);
    if (this.#connection) this.#subscribe(place);
  }

  override leave({ spec: { name } }: AnyChannelLedger): void {
    if (!this.#places.delete(name) || !this.#connection) return;
    this.#request({ is: 'unsubscribe' }, (id) => ({ type: 'unsubscribe', id, channel: name }));
  }

  override publish(channel: AnyChannelLedger, n: number, key: string | undefined): void {
    const publish = { channel, n, key, wasSent: false };
    if (this.#connection) this.#publish(publish);
    else this.#unsent.push(publish);
  }

  override ask(channel: ChannelLedger, asked: Asked): void {
    const { after, before, limit } = asked;
    if (!this.#connection) return;
    const range = { limit, ...(after && { after }), ...(before && { before }) };
    this.#request({ is: 'history', channel, asked }, (id) => ({
      type: 'history',
      id,
      channel: channel.spec.name,
      ...range,
    }));
  }

  override read(): void {}

  override positionsOn({ spec: { name } }: ChannelLedger): readonly At[] {
    const position = this.#places.get(name)?.position;
    return position ? [position] : [];
  }

  protected override close(): void {
    this.#isOver = true;
    for (const place of this.#places.values()) {
      const { ledger, position } = place;
      if (!(ledger instanceof LiveReaderLedger) && position) ledger.moved(position);
      ledger.finish();
    }
    if (this.#requests.size > 0) this.problem(`has no answer to ${[...this.#requests.values()].map(({ is }) => is)}`);
    if (this.#unsent.length > 0) this.problem(`could not publish ${this.#unsent.map(({ n }) => n)}`);
    this.takeMended(this.#gaps, this.#repeated);
    this.#connection?.close(1000);
  }

  // --- the connection ------------------------------------------------------------------------------

  #open(): void {
    if (this.#isOver) return;
    const { world, choose } = this.around;
    const life = ++this.#life;
    this.#silenceMs = BEFORE_CONNECTED_MS;
    const isMine = () => life === this.#life && !this.#isOver;
    const { send, close } = this.connect({
      onOpen: () => {
        if (!isMine()) return;
        this.#connection = { send: (frame) => send(this.dialect.encode(frame)), close };
        this.#connection.send({ type: 'connect', id: ++this.#lastId });
        // Further frames may follow right behind it.
        for (const place of this.#places.values()) this.#subscribe(place);
        for (const publish of this.#unsent.splice(0)) this.#publish(publish);
      },
      onMessage: (wire) => {
        this.#heardAtMs = world.now();
        for (const frame of this.dialect.decodeAll(wire) as unknown as ServerFrame[]) if (isMine()) this.#take(frame);
      },
      onClose: (code) => {
        if (isMine()) this.#lost(code);
      },
    });
    this.#heardAtMs = world.now();
    const watch = () => {
      if (!isMine()) return;
      if (world.now() - this.#heardAtMs < this.#silenceMs + GRACE_MS) {
        world.after(this.#silenceMs + GRACE_MS, watch);
        return;
      }
      close(1006);
      this.#lost(1006);
    };
    world.after(this.#silenceMs + GRACE_MS + choose(1_000), watch);
  }

  #lost(code: number): void {
    if (code >= 4400 && code < 4500 && code !== 4429) this.problem(`was closed with ${code}`);
    this.#life++;
    this.#connection = undefined;
    this.#effects = new Map();
    const requests = [...this.#requests.values()];
    this.#requests.clear();
    for (const place of this.#places.values()) {
      place.open = 0;
      place.isOn = false;
    }
    // Whether one without a key is in the log nobody can say.
    for (const request of requests)
      if (request.is === 'publish' && request.publish.key !== undefined) this.#unsent.push(request.publish);
    this.around.world.after(this.around.choose(RECONNECT_MS), () => this.#open());
  }

  #request(request: Request, frame: (id: number) => Frame): void {
    const id = ++this.#lastId;
    this.#requests.set(id, request);
    this.#connection?.send(frame(id));
  }

  /** Does it again later, if it is still to be done on this connection. */
  #later(again: () => void, ms = 0): void {
    const life = this.#life;
    this.around.world.after(Math.max(ms, AGAIN_MS), () => {
      if (life === this.#life && !this.#isOver) again();
    });
  }

  #subscribe(place: Place): void {
    const { channel, position, beginning } = place;
    place.open++;
    place.isOn = false;
    const start = position ? { since: position } : beginning;
    this.#request(
      { is: 'subscribe', place, since: position },
      (id): SubscribeFrame => ({ type: 'subscribe', id, channel: channel.spec.name, ...start }),
    );
  }

  #publish(publish: Publish): void {
    const { channel, n, key, wasSent } = publish;
    publish.wasSent = true;
    this.#request({ is: 'publish', publish, isFirst: !wasSent }, (id) => ({
      type: 'publish',
      id,
      channel: channel.spec.name,
      data: dataOf(n),
      ...(key !== undefined && { key }),
    }));
  }

  // --- what the gateway says -----------------------------------------------------------------------

  #take(frame: ServerFrame): void {
    switch (frame.type) {
      case 'connected':
        this.#silenceMs = frame.ping;
        return;
      case 'ping':
        this.#connection?.send({ type: 'pong' });
        return;
      case 'lagged':
        for (const name of frame.channels) this.#again(name, 0);
        return;
      case 'unsubscribed':
        if (frame.id !== undefined) this.#requests.delete(frame.id);
        else this.#again(frame.channel, AGAIN_MS);
        return;
      case 'subscribed':
      case 'published':
      case 'history':
      case 'error':
        this.#answered(frame);
        return;
      case 'message':
      case 'position':
      case 'epoch':
      case 'reset':
        this.#ofChannel(frame);
        return;
      default:
        this.problem(`was sent ${frame.type}`);
    }
  }

  /** The gateway took it off, unless it has asked to be on again meanwhile. */
  #again(name: string, delayMs: number): void {
    const place = this.#places.get(name);
    if (!place || place.open > 0) return;
    place.isOn = false;
    if (place.ledger instanceof LiveReaderLedger) place.ledger.missed();
    if (delayMs === 0) this.#subscribe(place);
    else this.#later(() => this.#isOff(place) && this.#subscribe(place), delayMs);
  }

  #isOff(place: Place): boolean {
    return this.#places.get(place.channel.spec.name) === place && place.open === 0 && !place.isOn;
  }

  #answered(frame: Extract<ServerFrame, { type: 'subscribed' | 'published' | 'history' | 'error' }>): void {
    const request = frame.id === undefined ? undefined : this.#requests.get(frame.id);
    if (request === undefined) {
      this.problem(`was sent ${JSON.stringify(frame)} without having asked`);
      return;
    }
    this.#requests.delete(frame.id as number);
    if (frame.type === 'error') this.#refused(request, frame);
    else if (frame.type === 'subscribed' && request.is === 'subscribe') this.#subscribed(request, frame);
    else if (frame.type === 'published' && request.is === 'publish') {
      const { channel, n } = request.publish;
      this.takePublished(channel, n, dataOf(n), frame);
      if (request.isFirst && !frame.duplicate && frame.offset !== undefined)
        this.#tookEffect(channel, { id: frame.id, is: 'publish', at: positionOf(frame) });
    } else if (frame.type === 'history' && request.is === 'history') {
      this.takePage(request.channel, request.asked, frame);
      const last = frame.messages.at(-1);
      if (last && !request.asked.after && !request.asked.before)
        this.#tookEffect(request.channel, { id: frame.id, is: 'history', at: positionOf(last) });
    } else this.problem(`was answered ${frame.type} to ${request.is}`);
  }

  #refused(request: Request, { code, message, retryable, retryAfter }: ErrorFrame): void {
    if (request.is === 'subscribe') request.place.open--;
    const reason = message.split(/\W/, 1)[0] ?? '';
    if (request.is === 'history' && code === 'bad_request') {
      this.takeReason(request.channel, request.asked, isResetReason(reason) ? reason : undefined);
    } else if (code === 'outcome_unknown' && request.is === 'publish' && request.publish.key === undefined) {
      return;
    } else if (!retryable) {
      this.problem(`was refused ${request.is}: ${code} ${message}`);
    } else if (request.is === 'subscribe') {
      this.#later(() => this.#isOff(request.place) && this.#subscribe(request.place), retryAfter);
    } else if (request.is === 'publish') {
      const { publish } = request;
      this.#unsent.push(publish);
      this.#later(() => {
        this.#unsent = this.#unsent.filter((one) => one !== publish);
        this.#publish(publish);
      }, retryAfter);
    }
  }

  #subscribed(
    { place, since }: Extract<Request, { is: 'subscribe' }>,
    { id, durable, epoch, offset, recovered, reason }: SubscribedFrame,
  ): void {
    place.open--;
    const { channel, ledger } = place;
    if (this.#places.get(channel.spec.name) !== place || place.open > 0) return;
    place.isOn = true;
    if (durable === ledger instanceof LiveReaderLedger)
      this.problem(`is on ${channel.spec.name} as durable ${durable}`);
    if (ledger instanceof LiveReaderLedger) {
      ledger.begins();
      return;
    }
    const at = positionOf({ epoch, offset });
    if (since === undefined) {
      ledger.begins(place.beginning, at, this.around.world.wall());
      if (Object.keys(place.beginning).length === 0)
        this.#tookEffect(channel, { id: id as number, is: 'subscribe', at });
    } else if (recovered) {
      if (at.offset !== since.offset) this.problem(`goes on at ${at.offset} from ${since.offset}`);
    } else {
      ledger.moved(since);
      ledger.reset(reason ?? 'none', at);
    }
    place.position = at;
  }

  #ofChannel(frame: Extract<ServerFrame, { type: 'message' | 'position' | 'epoch' | 'reset' }>): void {
    const place = this.#places.get(frame.channel);
    if (!place?.isOn || place.open > 0) return;
    const { ledger, position } = place;
    if (ledger instanceof LiveReaderLedger) {
      if (frame.type === 'message') ledger.message(frame.data);
      else this.problem(`was sent ${frame.type} of a live channel`);
      return;
    }
    const { epoch, offset } = position as Position;
    if (frame.type === 'reset') {
      ledger.moved(position as Position);
      place.position = positionOf(frame);
      ledger.reset(frame.reason, place.position);
      return;
    }
    const to = frame.offset as number;
    if (frame.type === 'epoch') {
      if (frame.epoch === epoch) return;
      if ((frame.prev ?? to) > offset || to < offset) this.#missed(place);
      else place.position = { epoch: frame.epoch, offset: to };
      return;
    }
    if (to <= offset) {
      this.#repeated++;
      return;
    }
    if ((frame.prev ?? to - 1) > offset) {
      this.#missed(place);
      return;
    }
    place.position = { epoch, offset: to };
    if (frame.type === 'message') ledger.message(place.position, partsOf(to, frame.data));
  }

  #missed(place: Place): void {
    this.#gaps++;
    this.#subscribe(place);
  }

  /** What a connection asks of one channel takes effect in the order it was sent. */
  #tookEffect(channel: AnyChannelLedger, effect: Effect): void {
    const { name } = channel.spec;
    const effects = this.#effects.get(name) ?? [];
    this.#effects.set(name, effects);
    for (const other of effects) {
      const [first, then] = other.id < effect.id ? [other, effect] : [effect, other];
      if (first.at.epoch !== then.at.epoch) continue;
      // Where the log is out of reach a reader begins where the gateway stands; an old master answers with an old page.
      const { isCalm, hidden } = this.around;
      const isLost = channel instanceof ChannelLedger && channel.hasLost(first.at);
      const isHeld = first.is === 'publish' && (then.is === 'history' ? !hidden && !isLost : isCalm);
      // A page may hold what was published behind the question.
      const isBehind = then.is === 'publish' && first.is !== 'history';
      if (isBehind ? then.at.offset <= first.at.offset : isHeld && then.at.offset < first.at.offset)
        this.problem(
          `asked ${name} for ${first.is} ${first.id}, ${then.is} ${then.id}: ${first.at.offset}, ${then.at.offset}`,
        );
    }
    effects.push(effect);
  }
}
