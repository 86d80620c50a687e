import type { Redis } from 'ioredis';
import { type Clock, sleep } from '../../clock.js';
import type { BackoffTimings } from '../backoff.js';
import type { LinkOptions } from '../link.js';
import { formatAddress, type RedisAddress } from '../url.js';
import { NodeProbe } from './node-probe.js';
import { masterAt, sameView, type Topology, type TopologyOptions, type TopologyView } from './topology.js';

/** How the nodes that know the masters are asked, and what their answers mean together. */
export interface Census<Answer> {
  ask(redis: Redis, address: RedisAddress): Promise<Answer>;
  /** All nodes that should be asked, including those that answered. */
  peers(answers: Answers<Answer>): RedisAddress[];
  agree(answers: Answers<Answer>): Agreement;
}

/** Answers by the name of the node that gave them. */
export type Answers<Answer> = ReadonlyMap<string, Answer>;

export interface Agreement {
  readonly view: TopologyView;
  /** Whether the nodes that answered are a majority of all that know the masters. */
  readonly isMajority: boolean;
}

export interface PollTimings {
  /** How often one node is asked, ms. */
  readonly topologyPollMs: number;
  /** How often one node is asked while a master is out of reach, ms. */
  readonly topologyHurriedPollMs: number;
  /** How long an answer may take, ms. */
  readonly topologyAnswerMs: number;
  readonly handshakeMs: number;
  readonly backoff: BackoffTimings;
}

interface PolledTopologyOptions extends TopologyOptions {
  readonly seeds: readonly RedisAddress[];
  readonly clock: Clock;
  readonly link: LinkOptions;
  readonly timings: PollTimings;
  /** Whether a master is out of reach, so that nodes are asked more often. */
  readonly isHurried: () => boolean;
}

/**
 * How long changed answers are gathered before the view is made anew, ms: where one answer changed, others are about
 * to.
 */
const LEARN_MS = 50;
/** Least time between two rounds in which all nodes are asked for a confirmation, ms. */
const CENSUS_PAUSE_MS = 100;
/** How long `confirm` and `refresh` wait for slow nodes, ms. */
const STRAGGLERS_MS = 500;

/**
 * A topology that asks. Its view is what all known nodes say together. Each is asked every second on a connection of
 * its own, so that a frozen node delays nothing. Without a majority the view stays as it was.
 */
export class PolledTopology<Answer> implements Topology {
  readonly #census: Census<Answer>;
  readonly #options: PolledTopologyOptions;
  readonly #probes = new Map<string, NodeProbe<Answer>>();
  /** The answers of the next round, which has not begun yet; shared by all who ask for it until then. */
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

  /** The view of a majority that is asked from now on; `undefined` if there is no majority. */
  async #confirmedView(): Promise<TopologyView | undefined> {
    this.#nextCensus ??= this.#censusSoon();
    const answers = await this.#nextCensus;
    if (answers.size === 0) return undefined;
    const { view, isMajority } = this.#census.agree(answers);
    return isMajority ? view : undefined;
  }

  /**
   * The answers of a round of questions that begins after this call. However often it is called, rounds are
   * `CENSUS_PAUSE_MS` apart; calls that come in between share the next one.
   */
  async #censusSoon(): Promise<Answers<Answer>> {
    const { clock } = this.#options;
    const waitMs = this.#censusAt + CENSUS_PAUSE_MS - clock.now();
    // The round begins in a later turn in any case: all who call in this turn share it, and nobody joins once it has
    // begun.
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
      backoff: timings.backoff,
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
   * Decides which nodes are asked from now on; new ones are added. Once a majority answers at the addresses that are
   * listed, nodes that nobody lists are dropped. Until then the seeds are asked as well, because all the others may
   * have moved.
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
