import type { Redis } from 'ioredis';
import { type Clock, sleep } from '../../clock.js';
import type { BackoffTimings } from '../backoff.js';
import type { LinkOptions } from '../link.js';
import { formatAddress, type RedisAddress } from '../url.js';
import { NodeProbe } from './node-probe.js';
import { masterAt, sameView, type Topology, type TopologyOptions, type TopologyView } from './topology.js';

/** How those who know are asked, and what their answers mean together. */
export interface Census<Answer> {
  ask(redis: Redis, address: RedisAddress): Promise<Answer>;
  /** Everybody who should be asked, the answering ones included. */
  peers(answers: Answers<Answer>): RedisAddress[];
  agree(answers: Answers<Answer>): Agreement;
}

/** Answers by the name of the node that gave them. */
export type Answers<Answer> = ReadonlyMap<string, Answer>;

export interface Agreement {
  readonly view: TopologyView;
  /** Whether those who answered are a majority of those who know. */
  readonly isMajority: boolean;
}

export interface PollTimings {
  /** Between two questions to one node, ms. */
  readonly topologyPollMs: number;
  /** The same while something is lost. */
  readonly topologyHurriedPollMs: number;
  /** How long an answer may take, ms. */
  readonly topologyAnswerMs: number;
  readonly handshakeMs: number;
  readonly retry: BackoffTimings;
}

interface PolledTopologyOptions extends TopologyOptions {
  readonly seeds: readonly RedisAddress[];
  readonly clock: Clock;
  readonly link: LinkOptions;
  readonly timings: PollTimings;
  /** Whether something is lost, so that news are worth more questions. */
  readonly isHurried: () => boolean;
}

/** What comes within this time is taken in at once, ms: where one answer changed, others are about to. */
const LEARN_MS = 50;
/** At least between two times that everybody is asked for a confirmation, ms. */
const CENSUS_PAUSE_MS = 100;
/** How long `confirm` and `refresh` wait for the slow ones, ms. */
const STRAGGLERS_MS = 500;

/**
 * The view is what all known nodes say together, each asked every second on its own connection, so
 * that a frozen one delays nothing. Without a majority the view stays as it was.
 */
export class PolledTopology<Answer> implements Topology {
  readonly #census: Census<Answer>;
  readonly #options: PolledTopologyOptions;
  readonly #probes = new Map<string, NodeProbe<Answer>>();
  /** Answers to questions that are not asked yet, for all who want to know by then. */
  #nextCensus: Promise<Answers<Answer>> | undefined;
  #censusAt = Number.NEGATIVE_INFINITY;
  #closed = false;
  #willLearn = false;
  view: TopologyView | undefined;

  constructor(census: Census<Answer>, options: PolledTopologyOptions) {
    this.#census = census;
    this.#options = options;
  }

  get problem(): string | undefined {
    for (const probe of this.#probes.values()) if (probe.problem) return probe.problem;
    return undefined;
  }

  start(): void {
    this.#probeAll(this.#options.seeds);
  }

  close(): void {
    this.#closed = true;
    for (const probe of this.#probes.values()) probe.close();
    this.#probes.clear();
  }

  async refresh(): Promise<void> {
    await this.#askAnew();
  }

  async confirm(slot: number, master: string): Promise<boolean> {
    const view = await this.#confirmedView();
    return view?.owners.get(slot) === master;
  }

  async confirmMaster(address: RedisAddress): Promise<boolean> {
    const view = await this.#confirmedView();
    return view !== undefined && masterAt(view, address) !== undefined;
  }

  /** What a majority says that is asked from now on; `undefined` without one. */
  async #confirmedView(): Promise<TopologyView | undefined> {
    this.#nextCensus ??= this.#censusSoon();
    const answers = await this.#nextCensus;
    if (answers.size === 0) return undefined;
    const { view, isMajority } = this.#census.agree(answers);
    return isMajority ? view : undefined;
  }

  /** However often somebody wants a confirmation, everybody is asked only so often; who comes meanwhile shares it. */
  async #censusSoon(): Promise<Answers<Answer>> {
    const { clock } = this.#options;
    const waitMs = this.#censusAt + CENSUS_PAUSE_MS - clock.now();
    // In any case later: whoever calls in this turn shares it, and nobody who calls once it has begun.
    await (waitMs > 0 ? sleep(clock, waitMs) : undefined);
    this.#nextCensus = undefined;
    this.#censusAt = clock.now();
    return this.#askAnew();
  }

  async #askAnew(): Promise<Answers<Answer>> {
    const answers = new Map<string, Answer>();
    const all = Promise.all(
      [...this.#probes].map(async ([name, probe]) => {
        const answer = await probe.fresh();
        if (answer !== undefined) answers.set(name, answer);
      }),
    );
    await new Promise<void>((resolve) => {
      const cancel = this.#options.clock.after(STRAGGLERS_MS, resolve);
      all.then(() => {
        cancel();
        resolve();
      });
    });
    return new Map(answers);
  }

  #probeAll(addresses: readonly RedisAddress[]): void {
    for (const address of addresses) if (!this.#probes.has(formatAddress(address))) this.#probe(address);
  }

  #probe(address: RedisAddress): void {
    const { clock, link, timings, isHurried } = this.#options;
    const probe = new NodeProbe<Answer>(address, {
      clock,
      link,
      handshakeMs: timings.handshakeMs,
      answerMs: timings.topologyAnswerMs,
      retry: timings.retry,
      intervalMs: () => (isHurried() ? timings.topologyHurriedPollMs : timings.topologyPollMs),
      ask: (redis, at) => this.#census.ask(redis, at),
      onChange: () => this.#learnSoon(),
    });
    this.#probes.set(formatAddress(address), probe);
  }

  #learnSoon(): void {
    if (this.#willLearn) return;
    this.#willLearn = true;
    this.#options.clock.after(LEARN_MS, () => {
      this.#willLearn = false;
      if (!this.#closed) this.#learn();
    });
  }

  #learn(): void {
    const answers = this.#answers();
    if (answers.size === 0) {
      this.#probeAll(this.#options.seeds);
      return;
    }
    const { view, isMajority } = this.#census.agree(answers);
    this.#meet(this.#census.peers(answers), answers);
    if (this.view && (!isMajority || sameView(this.view, view))) return;
    this.view = view;
    this.#options.onChange(view);
  }

  #answers(): Map<string, Answer> {
    const answers = new Map<string, Answer>();
    for (const [name, { answer }] of this.#probes) if (answer !== undefined) answers.set(name, answer);
    return answers;
  }

  /**
   * Asks newcomers too. Once a majority answers where it is listed, those whom nobody lists are not asked
   * any more; until then the seeds are, again if need be: all the others may have moved.
   */
  #meet(peers: readonly RedisAddress[], answers: Answers<Answer>): void {
    this.#probeAll(peers);
    const listed = new Set(peers.map(formatAddress));
    const answersOfListed = new Map([...answers].filter(([name]) => listed.has(name)));
    if (answersOfListed.size === 0 || !this.#census.agree(answersOfListed).isMajority) {
      this.#probeAll(this.#options.seeds);
      return;
    }
    for (const [name, probe] of this.#probes) {
      if (listed.has(name)) continue;
      probe.close();
      this.#probes.delete(name);
    }
  }
}
