import { type InFlightResult, runInFlight } from '../bench/cases/in-flight.js';
import { Lane } from '../generators/lane.js';
import { type Bar, compareBar } from '../report/bars.js';
import { median } from '../report/statistics.js';
import type { Entrant } from './entrant.js';

export interface InFlightOptions {
  readonly subscribers: number;
  /** Size of a message, bytes. */
  readonly size: number;
  readonly rounds: number;
  readonly roundMs: number;
  /** How many messages are in flight, one case after the other. */
  readonly inFlight: readonly number[];
}

/** What one entrant did with so many in flight. */
export interface InFlightRow {
  readonly name: string;
  readonly inFlight: number;
  readonly rounds: readonly InFlightResult[];
  readonly deliveriesPerSecond: number;
  /** Deliveries of the first entrant, divided by those of this one; the median over the rounds. */
  readonly firstByThis: number;
  /** What Fanfare has to reach, if it is the first entrant. There are bars for 1,000 subscribers and 64 B. */
  readonly bar: Bar | undefined;
}

/** Share of the subscribers that is read at once. The others are read in bulk, which costs the generator less. */
const PROMPT_SHARE = 0.02;
const CHANNEL = { name: 'bench', durable: true };
/** For how many rounds an entrant is warmed up: V8 goes on for long to compile what publishes one by one. */
const WARM_ROUNDS = 5;
const CASE_WARM_MS = 150;
/** How long the messages in flight may take, ms: some servers deliver less than a hundred messages a second. */
const STALL_MS = 60_000;

/** Entrants that are given messages one by one, and have their subscribers. */
export class InFlightStands {
  readonly #lanes: Lane[] = [];

  /** Opens the subscribers of one more entrant, and warms it up. Rejects unless all are subscribed in time. */
  async add({ name, singly }: Entrant, { subscribers, size, roundMs }: InFlightOptions): Promise<void> {
    if (!singly) throw new Error(`${name} is not given messages one by one`);
    const { subject, intake } = singly;
    const lane = await Lane.open({
      contender: subject,
      channels: [CHANNEL],
      subscribers,
      promptShare: PROMPT_SHARE,
      intake,
    });
    this.#lanes.push(lane);
    await runInFlight(lane, { inFlight: 32, size, stallMs: STALL_MS }, WARM_ROUNDS * roundMs);
  }

  /**
   * Measures all entrants in turns. Resolves with their rows. Rejects unless every subscriber has received every
   * message.
   */
  async measure({ subscribers, size, rounds, roundMs }: InFlightOptions, inFlight: number): Promise<InFlightRow[]> {
    for (const lane of this.#lanes) await runInFlight(lane, { inFlight, size, stallMs: STALL_MS }, CASE_WARM_MS);
    const results = new Map<Lane, InFlightResult[]>(this.#lanes.map((lane) => [lane, []]));
    for (let round = 0; round < rounds; round++) {
      for (const lane of round % 2 === 0 ? this.#lanes : this.#lanes.toReversed())
        results.get(lane)?.push(await runInFlight(lane, { inFlight, size, stallMs: STALL_MS }, roundMs));
    }
    const [first = []] = results.values();
    const hasBars = this.#lanes[0]?.contender.name === 'Fanfare' && subscribers === 1_000 && size === 64;
    return this.#lanes.map((lane) => {
      const own = results.get(lane) ?? [];
      const { name } = lane.contender;
      return {
        name,
        inFlight,
        rounds: own,
        deliveriesPerSecond: median(own.map(({ deliveriesPerSecond }) => deliveriesPerSecond)),
        firstByThis: median(
          own.map((one, round) => (first[round]?.deliveriesPerSecond ?? 0) / one.deliveriesPerSecond),
        ),
        bar: hasBars ? compareBar(name, inFlight) : undefined,
      };
    });
  }

  async close(): Promise<void> {
    for (const lane of this.#lanes) await lane.close();
  }
}
