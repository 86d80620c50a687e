import type { Entrant } from '../compare/entrant.js';
import { startNamed } from '../compare/entrants.js';
import { type InFlightOptions, type InFlightRow, InFlightStands } from '../compare/in-flight.js';
import { formatPercent, formatRate } from '../report/format.js';
import { mean } from '../report/statistics.js';
import { startRedis } from '../servers/redis.js';
import { pinSelf } from '../servers/server-process.js';

/** What `fanfare-load compare --in-flight` found. */
interface Outcome {
  readonly rows: InFlightRow[];
  readonly failures: string[];
}

/** Compares servers that are given messages one by one, and prints a table for each number in flight. */
export async function compareInFlight(
  names: readonly string[],
  options: InFlightOptions,
  signal: AbortSignal,
  print: (line: string) => void,
): Promise<Outcome> {
  const isPinned = pinSelf();
  printMethod(options, isPinned, print);
  const redis = await startRedis();
  const entrants: Entrant[] = [];
  const stands = new InFlightStands();
  const outcome: Outcome = { rows: [], failures: [] };
  const fail = ({ message }: Error) => void outcome.failures.push(message);
  try {
    for (const name of names) {
      if (signal.aborted) break;
      const add = async () => {
        const entrant = await startNamed(name, { redis, size: options.size, print });
        entrants.push(entrant);
        await stands.add(entrant, options);
      };
      await add().catch(fail);
    }
    for (const inFlight of options.inFlight) {
      if (signal.aborted) break;
      await stands.measure(options, inFlight).then((rows) => {
        outcome.rows.push(...rows);
        printTable(inFlight, rows, print);
      }, fail);
    }
    if (signal.aborted) outcome.failures.push('ended early: this is what there was so far');
    print('');
    for (const { name, description } of entrants) print(`  ${name}: ${description}`);
    for (const failure of outcome.failures) print(`  FAILED: ${failure}`);
    return outcome;
  } finally {
    await stands.close();
    for (const entrant of entrants) await entrant.stop();
    await redis.stop();
  }
}

function printMethod(
  { subscribers, size, rounds, roundMs }: InFlightOptions,
  isPinned: boolean,
  print: (line: string) => void,
): void {
  print(
    `  ${subscribers} subscribers of one channel; messages of ${size} bytes, each published by itself over one connection; another follows`,
  );
  print(
    `  when all prompt subscribers (2 %) have one. ${rounds} rounds of ${roundMs / 1000} s, all servers in turns, medians; every delivery is counted.`,
  );
  print(
    `  ${isPinned ? 'Servers and Redis on one core, the generator on another' : 'NOT PINNED: taskset is missing'}. A message of a durable channel is stored before it is delivered;`,
  );
  print(
    '  the others remember nothing. A server whose row has the generator near 100 % of its core could do more than that.',
  );
}

const WIDTHS = [14, 14, 14, 20, 8, 8, 14, 10];

function printTable(inFlight: number, rows: readonly InFlightRow[], print: (line: string) => void): void {
  const line = (cells: readonly string[]) =>
    print(
      `  ${cells.map((cell, i) => (i === 0 ? cell.padEnd(WIDTHS[0] ?? 0) : cell.padStart(WIDTHS[i] ?? 0))).join(' ')}`,
    );
  print('');
  line([
    `${inFlight} in flight`,
    'deliveries',
    `${rows[0]?.name ?? ''} by it`,
    'bar',
    'a read',
    'CPU',
    'CPU a message',
    'generator',
  ]);
  for (const { name, rounds, deliveriesPerSecond, firstByThis, bar } of rows) {
    const verdict = bar ? `${bar.text} ${bar.isMet(firstByThis, 0) ? 'met' : 'MISSED'}` : '';
    line([
      name,
      formatRate(deliveriesPerSecond),
      firstByThis.toFixed(2),
      verdict,
      mean(rounds.map(({ messagesPerRead }) => messagesPerRead)).toFixed(1),
      formatPercent(mean(rounds.map(({ cpu }) => cpu.server))),
      `${Math.round(mean(rounds.map(({ cpuMicrosPerMessage }) => cpuMicrosPerMessage)))} us`,
      formatPercent(mean(rounds.map(({ cpu }) => cpu.client))),
    ]);
  }
}
