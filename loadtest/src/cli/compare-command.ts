import { writeFileSync } from 'node:fs';
import { type CompareOptions, IN_FLIGHT, type Round, Stand } from '../compare/compare.js';
import type { Entrant } from '../compare/entrant.js';
import { centrifugoAt, ENTRANTS, fanfareAt, startNamed } from '../compare/entrants.js';
import { formatBytes, formatMs, formatPercent, formatRate } from '../report/format.js';
import { median } from '../report/statistics.js';
import { startRedis } from '../servers/redis.js';
import { pinSelf } from '../servers/server-process.js';
import { compareInFlight } from './compare-in-flight.js';
import { parseFlags, timeMs, UsageError, wholeNumber } from './flags.js';
import { interruption } from './output.js';
import { parseTarget, TARGET_OPTIONS } from './target.js';

export const COMPARE_USAGE = `fanfare-load compare [flags]   servers side by side: in turns, on the same core, with the same generator

  --with <list>         of ${Object.keys(ENTRANTS).join(',')} (default all); what they need beside nats-server and
                        redis-server is installed by npm into ~/.cache/fanfare-load when first used
  --url <ws://…>        a Fanfare gateway that runs (with --api-url, --api-key)
  --centrifugo <ws://…> a Centrifugo server that runs (…/connection/websocket), with
  --centrifugo-api <http://…>  --centrifugo-key <key>  --centrifugo-token <jwt>
  --subscribers <n>     of one channel (default 500)
  --burst <n>           messages published at once (default 32)
  --in-flight <list>    instead of bursts: messages one by one over one connection, each in a frame or command of its
                        own, so many in flight; a table for each number (as 1,8,32,128,512), with Fanfare by each server.
                        Of servers that compare starts; 1000 subscribers and 64 bytes unless you say otherwise
  --size <bytes>        of a message (default 128)
  --rounds <n>          (default 3; medians are printed)
  --duration <time>     of a round of each (default 2s)
  --json <file>         every round as JSON
`;

const OPTIONS = {
  ...TARGET_OPTIONS,
  with: { type: 'string' },
  centrifugo: { type: 'string' },
  'centrifugo-api': { type: 'string' },
  'centrifugo-key': { type: 'string', default: '' },
  'centrifugo-token': { type: 'string' },
  subscribers: { type: 'string' },
  burst: { type: 'string', default: '32' },
  size: { type: 'string' },
  'in-flight': { type: 'string' },
  rounds: { type: 'string', default: '3' },
  duration: { type: 'string', default: '2s' },
  json: { type: 'string' },
} as const;

interface Row {
  readonly stand: Stand;
  readonly rounds: Round[];
}

/**
 * Runs `fanfare-load compare`.
 * @returns the exit code: 1 if an entrant failed
 */
export async function compareCommand(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseFlags(args, OPTIONS);
  if (positionals.length > 0) throw new UsageError(`compare takes flags only, not ${positionals.join(' ')}`);
  const names = values.with?.split(',') ?? Object.keys(ENTRANTS);
  const unknown = names.find((name) => !Object.hasOwn(ENTRANTS, name));
  if (unknown !== undefined) throw new UsageError(`--with knows no ${unknown}`);
  const inFlight = values['in-flight']?.split(',').map((number) => wholeNumber('in-flight', number));
  if (inFlight && (values.url || values.centrifugo !== undefined))
    throw new UsageError('--in-flight takes servers that compare starts, not --url or --centrifugo');
  const options: CompareOptions = {
    subscribers: wholeNumber('subscribers', values.subscribers ?? (inFlight ? '1000' : '500')),
    burst: wholeNumber('burst', values.burst),
    size: wholeNumber('size', values.size ?? (inFlight ? '64' : '128'), 20),
    rounds: wholeNumber('rounds', values.rounds),
    roundMs: timeMs('duration', values.duration),
  };
  const print = (line: string) => void process.stdout.write(`${line}\n`);
  const signal = interruption();
  if (inFlight) {
    const { rows, failures } = await compareInFlight(names, { ...options, inFlight }, signal, print);
    if (values.json !== undefined)
      writeFileSync(
        values.json,
        `${JSON.stringify({ options: { ...options, inFlight }, rows, failures }, undefined, 2)}\n`,
      );
    return failures.length > 0 ? 1 : 0;
  }
  const isPinned = pinSelf();
  printMethod(options, isPinned, print);
  const redis = await startRedis();
  const failures: string[] = [];
  const rows: Row[] = [];
  try {
    const starts = [
      ...names.map((name) => () => startNamed(name, { redis, size: options.size, print })),
      ...external(values),
    ];
    for (const start of starts) {
      if (signal.aborted) break;
      await prepare(start, options, rows).catch((error: Error) => failures.push(error.message));
    }
    for (let round = 0; round < options.rounds; round++) {
      const order = round % 2 === 0 ? rows : rows.toReversed();
      for (const row of order) {
        if (signal.aborted) break;
        await row.stand.round(options).then(
          (one) => row.rounds.push(one),
          (error: Error) => failures.push(error.message),
        );
      }
    }
    printTable(rows, print);
    if (signal.aborted) failures.push('ended early: this is what there was so far');
    for (const failure of failures) print(`  FAILED: ${failure}`);
    if (values.json !== undefined)
      writeFileSync(values.json, `${JSON.stringify(toJson(options, rows, failures), undefined, 2)}\n`);
    return failures.length > 0 ? 1 : 0;
  } finally {
    for (const { stand } of rows) await stand.close();
    await redis.stop();
  }
}

type External = {
  readonly [name in 'centrifugo' | 'centrifugo-api' | 'centrifugo-key' | 'centrifugo-token']?: string | undefined;
} & {
  readonly url?: string[] | undefined;
};

function external(values: External): (() => Promise<Entrant>)[] {
  const starts: (() => Promise<Entrant>)[] = [];
  if (values.url) {
    const { urls, apis, apiKey = 'dev' } = parseTarget({ ...values, url: values.url });
    for (const [index, url] of urls.entries()) starts.push(async () => fanfareAt(url, apis[index] ?? url, apiKey));
  }
  const { centrifugo } = values;
  if (centrifugo !== undefined) {
    const api = values['centrifugo-api'] ?? new URL(centrifugo).origin.replace(/^ws/, 'http');
    starts.push(async () => centrifugoAt(centrifugo, api, values['centrifugo-key'] ?? '', values['centrifugo-token']));
  }
  return starts;
}

async function prepare(start: () => Promise<Entrant>, options: CompareOptions, rows: Row[]): Promise<void> {
  const stand = new Stand(await start());
  try {
    await stand.open(options.subscribers);
    await stand.warm(options);
    rows.push({ stand, rounds: [] });
  } catch (error) {
    await stand.close();
    throw error;
  }
}

function printMethod(
  { subscribers, burst, size, rounds, roundMs }: CompareOptions,
  isPinned: boolean,
  print: (line: string) => void,
): void {
  print(
    `  ${subscribers} subscribers of one channel, bursts of ${burst} messages of ${size} bytes; ${IN_FLIGHT} of them on their way;`,
  );
  print(
    `  another leaves when every subscriber has one. ${rounds} rounds of ${roundMs / 1000} s, all servers in turns, medians; every delivery is counted.`,
  );
  print(
    `  ${isPinned ? 'Servers and Redis on one core, the generator on another' : 'NOT PINNED: taskset is missing'}; memory by growth of the process.`,
  );
  print('  A burst of a durable channel is stored before it is delivered; the others remember nothing.');
  print(
    '  Ratios are to the first row. A server whose row has the generator near 100 % of its core could do more than that.',
  );
}

const WIDTHS = [14, 14, 9, 12, 12, 9, 12, 10];

function printTable(rows: readonly Row[], print: (line: string) => void): void {
  const line = (cells: readonly string[]) =>
    print(
      `  ${cells.map((cell, i) => (i === 0 ? cell.padEnd(WIDTHS[0] ?? 0) : cell.padStart(WIDTHS[i] ?? 0))).join(' ')}`,
    );
  print('');
  line(['', 'deliveries', 'ratio', 'burst p50', 'burst p99', 'CPU', 'a connection', 'generator']);
  const rate = ({ rounds }: Row) => median(rounds.map(({ deliveriesPerSecond }) => deliveriesPerSecond));
  const first = rows[0];
  for (const row of rows) {
    const { rounds, stand } = row;
    if (rounds.length === 0 || !first) continue;
    const cpu = median(rounds.map((one) => one.cpu));
    line([
      stand.entrant.name,
      formatRate(rate(row)),
      (rate(row) / rate(first)).toFixed(2),
      formatMs(median(rounds.map(({ p50 }) => p50))),
      formatMs(median(rounds.map(({ p99 }) => p99))),
      Number.isNaN(cpu) ? '-' : formatPercent(cpu),
      Number.isNaN(stand.bytesPerConnection) ? '-' : formatBytes(stand.bytesPerConnection),
      formatPercent(median(rounds.map(({ generatorCpu }) => generatorCpu))),
    ]);
  }
  print('');
  for (const { stand } of rows) print(`  ${stand.entrant.name}: ${stand.entrant.description}`);
}

function toJson(options: CompareOptions, rows: readonly Row[], failures: readonly string[]): object {
  const entrants = rows.map(({ stand, rounds }) => ({
    name: stand.entrant.name,
    description: stand.entrant.description,
    bytesPerConnection: stand.bytesPerConnection,
    rounds,
  }));
  return { options, entrants, failures };
}
