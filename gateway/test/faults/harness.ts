/**
 * Whole-system faults: real Redis, two real gateways, real clients on both, steady publishing, and the
 * books of it. `npm test` runs them in a short form, `npm run test:faults` in the long one.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../support/redis-servers.js';
import { closeBooks, formatLedgers, type Ledger, type LedgerRow } from './ledger.js';
import { Publishers } from './publishers.js';
import { Subscriber } from './subscriber.js';
import { metric, type World } from './world.js';

export interface Scale {
  readonly subscribers: number;
  readonly channels: number;
  readonly publishesPerSecond: number;
  /** Of undisturbed service before and after the fault. */
  readonly calmMs: number;
  /** How long a gateway stands still. */
  readonly pauseMs: number;
  /** How many clients lose their gateway at once. */
  readonly stormClients: number;
  /** Of a memory that stays full; longer than a gateway tries a publish, in the long form. */
  readonly fullMs: number;
}

const SHORT: Scale = {
  subscribers: 40,
  channels: 10,
  publishesPerSecond: 40,
  calmMs: 700,
  pauseMs: 2_500,
  stormClients: 2_000,
  fullMs: 1_500,
};
const LONG: Scale = {
  subscribers: 200,
  channels: 50,
  publishesPerSecond: 200,
  calmMs: 3_000,
  pauseMs: 5_000,
  stormClients: 10_000,
  fullMs: 17_000,
};
export const SCALE = process.env.FANFARE_TEST_FAULTS === 'long' ? LONG : SHORT;

const CATCH_UP_MS = 60_000;
const rows: LedgerRow[] = [];

/** Subscribers and publishers at work while a fault happens. */
export class Run {
  readonly world: World;
  readonly subscribers: readonly Subscriber[];
  readonly publishers: Publishers;
  readonly channels: readonly string[];
  readonly #notes: string[] = [];
  #foundBefore = 0;

  constructor(world: World) {
    this.world = world;
    this.channels = Array.from({ length: SCALE.channels }, (_, nth) => world.newChannel(nth));
    this.publishers = new Publishers(this.channels, world.gateways, SCALE.publishesPerSecond);
    this.subscribers = Array.from({ length: SCALE.subscribers }, (_, nth) => {
      const channel = this.channels[nth % this.channels.length] as string;
      return new Subscriber(channel, world.gateways, Math.floor(nth / this.channels.length) % 2);
    });
  }

  /** Something measured, for the table. */
  note(text: string): void {
    this.#notes.push(text);
  }

  async begin(): Promise<void> {
    await this.world.ready();
    this.#foundBefore = await this.#auditFindings();
    await Promise.all(this.subscribers.map((subscriber) => subscriber.start()));
    this.publishers.start();
    await this.live();
    await delay(SCALE.calmMs);
  }

  /** Waits until each of these was given a message after this time. Returns how long that was for the slowest, ms. */
  async live(since = Date.now(), subscribers = this.subscribers, timeoutMs = 60_000): Promise<number> {
    const heard = () => subscribers.map((subscriber) => subscriber.heardAfter(since));
    await until('all are live', () => heard().every((when) => when !== undefined), timeoutMs);
    return Math.max(0, ...heard().map((when) => (when ?? since) - since));
  }

  /** Ends publishing, lets everybody catch up, closes the books and prints them. */
  async end(fault: string): Promise<Ledger> {
    try {
      await this.publishers.stop();
      const logs = await Promise.all(this.channels.map((channel) => this.#settled(channel)));
      const books = this.channels.map((channel, i) => ({
        log: logs[i] as (typeof logs)[number],
        acknowledged: this.publishers.acknowledged.get(channel) ?? [],
        subscribers: this.#of(channel).map((subscriber) => subscriber.close()),
      }));
      const ledger = closeBooks(books, Math.max(0, (await this.#auditFindings()) - this.#foundBefore));
      const refusals = Object.entries(this.publishers.refusals).map(([code, count]) => `${code} ${count}`);
      if (refusals.length > 0) this.note(`refused: ${refusals.join(', ')}`);
      const row = { fault, ledger, notes: this.#notes };
      rows.push(row);
      process.stdout.write(`${formatLedgers([row]).split('\n')[2]}\n`);
      return ledger;
    } finally {
      this.close();
    }
  }

  close(): void {
    this.publishers.abandon();
    for (const subscriber of this.subscribers) subscriber.close();
  }

  /** What the audit, the last resort, had to find; of gateways that were not replaced meanwhile. */
  async #auditFindings(): Promise<number> {
    const counts = await Promise.all(
      this.world.gateways.map((gateway) => metric(gateway, 'fanfare_audit_findings_total')),
    );
    return counts.reduce((sum, count) => sum + count, 0);
  }

  #of(channel: string): Subscriber[] {
    return this.subscribers.filter((subscriber) => subscriber.channel === channel);
  }

  /** The log, once all its subscribers stand at its head, or have had their time for it. */
  async #settled(channel: string) {
    const deadline = Date.now() + CATCH_UP_MS;
    for (;;) {
      const log = await this.world.log(channel);
      if (this.#of(channel).every(({ position }) => position?.offset === log.head.offset)) return log;
      if (Date.now() > deadline) return log;
      await delay(100);
    }
  }
}

/**
 * Causes a fault under load, waits until all are live again, and closes the books.
 * @param fault as it stands in the table
 */
export async function ledgerOf(world: World, fault: string, cause: (run: Run) => Promise<void>): Promise<Ledger> {
  const run = new Run(world);
  try {
    await run.begin();
    await cause(run);
    await run.live();
    await delay(SCALE.calmMs);
    return await run.end(fault);
  } catch (error) {
    run.close();
    throw error;
  }
}

/** Prints every ledger so far as one table. */
export function printLedgers(what: string): void {
  process.stdout.write(`\n${what}\n${formatLedgers(rows.splice(0))}\n\n`);
}
