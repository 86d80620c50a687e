import { setTimeout as delay } from 'node:timers/promises';
import type { GatewayProcess } from '../support/gateway-process.js';
import type { Entry } from './ledger.js';

/**
 * Longer than a gateway tries a publish; then it goes to another one. Whoever waits for less asks again
 * while the first request is still being tried, ever more often the longer an outage lasts.
 */
const ANSWER_MS = 16_500;
/** For how many seconds publishes may wait: beyond that, publishing is as fast as the machine. */
const MOST_OPEN_S = 10;
const FIRST_RETRY_MS = 50;
const LONGEST_RETRY_MS = 1_000;

/**
 * Publishes steadily by HTTP, to any of the gateways, over all channels in turn. What is not
 * acknowledged is repeated with the same key until it is.
 */
export class Publishers {
  /** By channel. */
  readonly acknowledged: ReadonlyMap<string, Entry[]>;
  /** Answers other than an acknowledgement, by code; `none`: no answer. */
  readonly refusals: Record<string, number> = {};
  readonly #gateways: readonly GatewayProcess[];
  readonly #perSecond: number;
  readonly #open = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #count = 0;
  #isStopping = false;

  constructor(channels: readonly string[], gateways: readonly GatewayProcess[], perSecond: number) {
    this.acknowledged = new Map(channels.map((channel) => [channel, []]));
    this.#gateways = gateways;
    this.#perSecond = perSecond;
  }

  start(): void {
    const startedAt = Date.now();
    const channels = [...this.acknowledged.keys()];
    this.#timer = setInterval(() => {
      const due = ((Date.now() - startedAt) / 1000) * this.#perSecond;
      while (this.#count < due && this.#open.size < MOST_OPEN_S * this.#perSecond) {
        const publish = this.#publish(channels[this.#count % channels.length] as string, ++this.#count);
        this.#open.add(publish);
        void publish.finally(() => this.#open.delete(publish));
      }
    }, 5);
  }

  /** Resolves once everything is acknowledged. Rejects if that takes longer than `timeoutMs`. */
  async stop(timeoutMs = 60_000): Promise<void> {
    clearInterval(this.#timer);
    const isDone = await Promise.race([
      Promise.all(this.#open).then(() => true),
      delay(timeoutMs, false, { ref: false }),
    ]);
    this.abandon();
    if (!isDone) throw new Error(`${this.#open.size} publishes are not acknowledged: ${JSON.stringify(this.refusals)}`);
  }

  /** Ends publishing, whatever is not acknowledged yet. A run that failed would disturb the next ones otherwise. */
  abandon(): void {
    clearInterval(this.#timer);
    this.#isStopping = true;
  }

  async #publish(channel: string, n: number): Promise<void> {
    // By turns for each channel, so that none is silent for as long as one gateway stands still.
    const turn = n + Math.floor(n / this.acknowledged.size);
    for (let attempt = 0; !this.#isStopping; attempt++) {
      const gateway = this.#gateways[(turn + attempt) % this.#gateways.length] as GatewayProcess;
      try {
        const at = await this.#attempt(gateway, { channel, data: { n }, key: `k${n}` });
        if (at) {
          this.acknowledged.get(channel)?.push({ at, n });
          return;
        }
      } catch {
        this.#refused('none');
      }
      await delay(Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** attempt) * (0.5 + Math.random()));
    }
  }

  async #attempt(gateway: GatewayProcess, body: object): Promise<Entry['at'] | undefined> {
    const response = await fetch(`${gateway.httpUrl}/v1/publish`, {
      method: 'POST',
      headers: { authorization: 'Bearer dev', 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    const answer = (await response.json()) as { epoch: string; offset: number; code?: string };
    if (response.status === 200) return { epoch: Number(answer.epoch), offset: answer.offset };
    this.#refused(answer.code ?? String(response.status));
    return undefined;
  }

  #refused(code: string): void {
    this.refusals[code] = (this.refusals[code] ?? 0) + 1;
  }
}
