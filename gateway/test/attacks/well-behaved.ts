/** Clients that keep to the protocol while others do not, and the books of what they got. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Contiguity } from '@fanfare/protocol/suite/contiguity';
import { WebSocket } from 'ws';
import { framesIn } from '../support/frames-in.js';
import type { GatewayProcess } from '../support/gateway-process.js';

interface Frame {
  readonly type: string;
  readonly channel?: string;
  readonly offset?: number;
  readonly data?: { readonly sentMs: number };
}

/** One that follows a channel over one connection, for as long as it lasts. */
class Follower {
  readonly faults: string[] = [];
  offset: number | undefined;
  readonly #socket: WebSocket;
  readonly #contiguity = new Contiguity();
  readonly #onLatency: (ms: number) => void;

  constructor(url: string, channel: string, token: string, onLatency: (ms: number) => void) {
    this.#onLatency = onLatency;
    this.#socket = new WebSocket(url, 'fanfare.json.v1', { perMessageDeflate: false });
    this.#socket.on('open', () => {
      this.#send({ type: 'connect', id: 1, token });
      this.#send({ type: 'subscribe', id: 2, channel });
    });
    this.#socket.on('message', (data: Buffer) => {
      for (const frame of framesIn<Frame>(data)) this.#onFrame(frame);
    });
    this.#socket.on('error', ({ message }) => this.faults.push(message));
    this.#socket.on('close', (code) => this.faults.push(`closed with ${code}`));
  }

  close(): void {
    this.#socket.removeAllListeners('close');
    this.#socket.terminate();
  }

  #send(frame: object): void {
    this.#socket.send(JSON.stringify(frame));
  }

  #onFrame(frame: Frame): void {
    const fault = this.#contiguity.take({ ...frame });
    if (fault) this.faults.push(fault);
    if (frame.type === 'ping') this.#send({ type: 'pong' });
    else if (frame.type === 'message' || frame.type === 'subscribed') this.offset = frame.offset;
    else if (frame.type !== 'connected') this.faults.push(JSON.stringify(frame));
    if (frame.data) this.#onLatency(Date.now() - frame.data.sentMs);
  }
}

/** What became of the well-behaved during one run. */
export interface Book {
  readonly published: number;
  /** Attempts to publish that failed and were made again, with the same key. */
  readonly retries: number;
  /** Publishes that got no position for half a minute, and whatever a client was told besides its messages. */
  readonly faults: readonly string[];
  /** Clients that do not stand at the end of their channel. */
  readonly behind: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

export class WellBehaved {
  readonly #gateway: GatewayProcess;
  readonly #channels: readonly string[];
  readonly #followers: Follower[] = [];
  readonly #heads = new Map<string, number>();
  #latencies: number[] = [];

  private constructor(gateway: GatewayProcess, channels: readonly string[]) {
    this.#gateway = gateway;
    this.#channels = channels;
  }

  /** @param tokenOf the token of the nth client */
  static async join(
    gateway: GatewayProcess,
    { clients, channels, tokenOf }: { clients: number; channels: number; tokenOf: (nth: number) => Promise<string> },
  ): Promise<WellBehaved> {
    const names = Array.from({ length: channels }, (_, nth) => `room:good-${nth}`);
    const crowd = new WellBehaved(gateway, names);
    for (let nth = 0; nth < clients; nth++) {
      const channel = names[nth % channels] as string;
      const follower = new Follower(gateway.wsUrl, channel, await tokenOf(nth), (ms) => crowd.#latencies.push(ms));
      crowd.#followers.push(follower);
      if (nth % 100 === 99) await crowd.#subscribed();
    }
    await crowd.#subscribed();
    return crowd;
  }

  /** Publishes to all channels in turn, at this rate, until `until` settles; then waits for those who are behind. */
  async publish(perSecond: number, until: Promise<unknown>): Promise<Book> {
    this.#latencies = [];
    let isOver = false;
    const over = until.finally(() => {
      isOver = true;
    });
    const faults: string[] = [];
    let retries = 0;
    const answers: Promise<void>[] = [];
    const beganAt = performance.now();
    for (let n = 0; !isOver; n++) {
      const channel = this.#channels[n % this.#channels.length] as string;
      answers.push(
        this.#store(channel, n).then(
          (attempts) => {
            retries += attempts - 1;
          },
          (error) => void faults.push(`publish: ${String(error)}`),
        ),
      );
      await sleep(Math.max(0, beganAt + ((n + 1) * 1_000) / perSecond - performance.now()));
    }
    await over;
    await Promise.all(answers);
    const endsAt = Date.now() + 30_000;
    while (this.#behind() > 0 && Date.now() < endsAt) await sleep(20);
    for (const follower of this.#followers) faults.push(...follower.faults.splice(0));
    const sorted = this.#latencies.sort((a, b) => a - b);
    const p99Ms = sorted[Math.floor(sorted.length * 0.99)] ?? 0;
    return { published: answers.length, retries, faults, behind: this.#behind(), p99Ms, maxMs: sorted.at(-1) ?? 0 };
  }

  /** As a backend should: with a key, and again until it is answered. Resolves with how many attempts it took. */
  async #store(channel: string, n: number): Promise<number> {
    const message = { channel, data: { sentMs: Date.now(), n }, key: randomUUID() };
    const endsAt = Date.now() + 30_000;
    for (let attempts = 1; ; attempts++) {
      const answer = await this.#gateway.publish(message).catch((error) => String(error.cause ?? error));
      if (typeof answer === 'object' && answer.status === 200) {
        this.#heads.set(channel, Math.max(this.#heads.get(channel) ?? 0, Number(answer.body.offset)));
        return attempts;
      }
      if (Date.now() > endsAt) throw new Error(JSON.stringify(answer));
      await sleep(100);
    }
  }

  /** One that comes now: how long it takes until it is on a channel, ms, with as many attempts as it needs. */
  async newcomer(token: string): Promise<{ readonly ms: number; readonly attempts: number }> {
    const beganAt = performance.now();
    for (let attempts = 1; ; attempts++) {
      const follower = new Follower(this.#gateway.wsUrl, this.#channels[0] as string, token, () => {});
      while (follower.offset === undefined && follower.faults.length === 0) await sleep(5);
      const isIn = follower.offset !== undefined;
      follower.close();
      const ms = Math.round(performance.now() - beganAt);
      if (isIn || ms > 20_000) return { ms, attempts };
      await sleep(200);
    }
  }

  close(): void {
    for (const follower of this.#followers) follower.close();
  }

  async #subscribed(): Promise<void> {
    const endsAt = Date.now() + 30_000;
    while (this.#followers.some(({ offset }) => offset === undefined)) {
      if (Date.now() > endsAt) throw new Error(`not subscribed: ${this.#followers.flatMap(({ faults }) => faults)}`);
      await sleep(10);
    }
  }

  #behind(): number {
    return this.#followers.filter(
      ({ offset = 0 }, nth) => offset < (this.#heads.get(this.#channels[nth % this.#channels.length] as string) ?? 0),
    ).length;
  }
}
