import type { ClientFrame, MessageFrame, Position, PublishFrame, ServerFrame, SubscribeFrame } from '@fanfare/protocol';
import { FakeLog, type LogEntry } from './fake-log.js';
import { type FakeLink, FakeServer, type FakeServerOptions } from './fake-server.js';

/**
 * How frames cover the offsets of a log (see "Contiguity" in the protocol). By default each message covers its own
 * offset and leaves by itself.
 */
export interface Coverage {
  /** Returns whether no member gets a message. Then the next frame covers it, or a `position` does. */
  readonly hides: (entry: LogEntry) => boolean;
  /** Returns whether what was hidden is covered by a `position` now, and not by whatever comes next. */
  readonly tells: () => boolean;
  /** Returns by how much a frame that covers several offsets begins before the place where the member stands. */
  readonly overlap: () => number;
  /** Returns whether frames that leave together leave as one array. */
  readonly joins: () => boolean;
}

const PLAIN: Coverage = { hides: () => false, tells: () => true, overlap: () => 0, joins: () => false };

export interface LogServerOptions extends FakeServerOptions {
  readonly coverage?: Partial<Coverage>;
}

/**
 * A fake gateway with real logs. It subscribes, replays, publishes and tells resets as the protocol says, and has
 * accidents on command. Channels whose name begins with `live:` are live.
 */
export class LogServer extends FakeServer {
  readonly #coverage: Coverage;
  readonly #logs = new Map<string, FakeLog>();
  /** Where each link stands on each of its channels. */
  readonly #members = new Map<FakeLink, Map<string, Position | undefined>>();

  constructor(options: LogServerOptions) {
    super(options);
    this.#coverage = { ...PLAIN, ...options.coverage };
    this.onFrame = (frame, link) => this.answer(frame, link);
    this.onEnd = (link) => this.#members.delete(link);
  }

  log(channel: string): FakeLog {
    const log = this.#logs.get(channel) ?? new FakeLog();
    this.#logs.set(channel, log);
    return log;
  }

  /** Returns the links that are on a channel. */
  membersOf(channel: string): FakeLink[] {
    return [...this.#members].filter(([, channels]) => channels.has(channel)).map(([link]) => link);
  }

  publish(channel: string, data: unknown, key?: string): { entry: LogEntry; duplicate: boolean } | undefined {
    const time = this.clock.now();
    if (isLive(channel)) {
      for (const link of this.membersOf(channel)) link.send({ type: 'message', channel, data, time });
      return undefined;
    }
    const stored = this.log(channel).append(data, time, key);
    if (!stored.duplicate) for (const link of this.membersOf(channel)) this.#replay(link, channel);
    return stored;
  }

  /** Lets a new master take over, which may lack the last entries. Members are told. */
  takeOver(channel: string, lost = 0): void {
    this.log(channel).takeOver(lost);
    for (const link of this.membersOf(channel)) this.#repair(link, channel);
  }

  /** Sends the last message of a channel once more. */
  repeat(link: FakeLink, channel: string): void {
    const last = this.log(channel).entries.at(-1);
    const stands = this.#position(link, channel)?.offset ?? -1;
    if (last && last.offset <= stands) link.send(messageFrame(channel, last));
  }

  /** Loses the next message on its way to this link, as no gateway should. */
  skip(link: FakeLink, channel: string, data: unknown): void {
    const { entry } = this.log(channel).append(data, this.clock.now());
    if (this.#position(link, channel)) this.#setPosition(link, channel, entry);
    for (const other of this.membersOf(channel)) this.#replay(other, channel);
  }

  /** Lets the link read too slowly: it is taken off all channels now, and is told `lagged` once it has drained. */
  lag(link: FakeLink, drainMs: number): void {
    const channels = [...(this.#members.get(link)?.keys() ?? [])];
    this.#members.get(link)?.clear();
    if (channels.length > 0) this.clock.after(drainMs, () => link.send({ type: 'lagged', channels }));
  }

  /** Answers as a gateway does. Call it from `onFrame` for what a test does not script itself. */
  answer(frame: ClientFrame, link: FakeLink): void {
    switch (frame.type) {
      case 'subscribe':
        this.#subscribe(frame, link);
        break;
      case 'unsubscribe':
        this.#members.get(link)?.delete(frame.channel);
        link.send({ type: 'unsubscribed', id: frame.id, channel: frame.channel });
        break;
      case 'publish':
        this.#publish(frame, link);
        break;
      case 'refresh':
        link.send({ type: 'refreshed', id: frame.id });
        break;
      case 'history': {
        const { id, channel, after, limit = 100 } = frame;
        const entries = this.log(channel).entries.filter(({ offset }) => offset > (after?.offset ?? 0));
        const messages = entries.slice(0, limit).map(({ key, ...entry }) => ({ ...entry, ...(key && { key }) }));
        link.send({
          type: 'history',
          id,
          channel,
          messages,
          more: entries.length > limit,
          head: this.log(channel).head,
        });
        break;
      }
    }
  }

  #subscribe({ id, channel, since, rewind }: SubscribeFrame, link: FakeLink): void {
    const channels = this.#members.get(link) ?? new Map<string, Position | undefined>();
    this.#members.set(link, channels);
    if (channels.has(channel) && !since) {
      const message = 'on it already';
      link.send({ type: 'error', id, code: 'already_subscribed', message, retryable: false });
      return;
    }
    if (isLive(channel)) {
      channels.set(channel, undefined);
      link.send({ type: 'subscribed', id, channel, durable: false });
      return;
    }
    const log = this.log(channel);
    const { at, reason } = since ? log.judge(since) : { at: log.rewind(rewind ?? 0), reason: undefined };
    channels.set(channel, at);
    const verdict = { ...(since && { recovered: reason === undefined }), ...(reason && { reason }) };
    this.#replay(link, channel, [{ type: 'subscribed', id, channel, durable: true, ...at, ...verdict }]);
  }

  #publish({ id, channel, data, key }: PublishFrame, link: FakeLink): void {
    const stored = this.publish(channel, data, key);
    const { epoch, offset } = stored?.entry ?? {};
    const position = stored && { epoch, offset };
    link.send({ type: 'published', id, channel, ...position, ...(stored?.duplicate && { duplicate: true }) });
  }

  #repair(link: FakeLink, channel: string): void {
    const position = this.#position(link, channel);
    if (!position) return;
    const { at, reason } = this.log(channel).judge(position);
    this.#setPosition(link, channel, at);
    this.#replay(link, channel, reason ? [{ type: 'reset', channel, reason, ...at }] : []);
  }

  /** Sends `first`, and then what the log holds after the place where the link stands. */
  #replay(link: FakeLink, channel: string, first: readonly ServerFrame[] = []): void {
    const frames = [...first];
    const { hides, tells, overlap, joins } = this.#coverage;
    const { head } = this.log(channel);
    let at = this.#position(link, channel);
    if (!at) return;
    const prev = (from: number) => Math.max(0, from - overlap());
    for (const step of this.log(channel).after(at)) {
      const { offset: from } = at;
      if ('border' in step) {
        at = step.border;
        frames.push({ type: 'epoch', channel, ...at, ...(from < at.offset && { prev: prev(from) }) });
      } else if (!hides(step.entry)) {
        at = step.entry;
        frames.push({ ...messageFrame(channel, step.entry), ...(from < at.offset - 1 && { prev: prev(from) }) });
      }
    }
    if (at.offset < head.offset && tells()) {
      frames.push({ type: 'position', channel, offset: head.offset, prev: prev(at.offset) });
      at = { epoch: at.epoch, offset: head.offset };
    }
    this.#setPosition(link, channel, at);
    if (frames.length > 1 && joins()) link.sendArray(frames);
    else for (const frame of frames) link.send(frame);
  }

  #position(link: FakeLink, channel: string): Position | undefined {
    return this.#members.get(link)?.get(channel);
  }

  #setPosition(link: FakeLink, channel: string, { epoch, offset }: Position): void {
    this.#members.get(link)?.set(channel, { epoch, offset });
  }
}

function messageFrame(channel: string, { offset, data, time, key }: LogEntry): MessageFrame {
  return { type: 'message', channel, offset, data, time, ...(key !== undefined && { key }) };
}

function isLive(channel: string): boolean {
  return channel.startsWith('live:');
}
