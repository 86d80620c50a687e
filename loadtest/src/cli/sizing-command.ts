import { writeFileSync } from 'node:fs';
import { readCosts, SHIPPED_COSTS } from '../sizing/costs.js';
import { measureCosts } from '../sizing/measure.js';
import type { Load } from '../sizing/placement.js';
import { predictAndMeasure } from '../sizing/predict.js';
import { simulate } from '../sizing/simulate.js';
import { DEFAULT_LIMITS, type Limits, sizeFor } from '../sizing/size.js';
import { costsTable, predictionTable, simulationReport, sizingTable } from '../sizing/tables.js';
import { parseFlags, UsageError, wholeNumber } from './flags.js';

export const SIZING_USAGE = `fanfare-load sizing <what> [flags]   how many gateways and Redis masters a load needs (docs/SIZING.md)

  simulate   the busiest and the median gateway and master of a fleet; takes seconds, starts nothing.
             Without --gateways: of the smallest fleet that stays within the limits
  table      gateways and masters for some loads
  costs      what a publish, a delivery, a connection ... cost
  measure    measures these costs here: 1, 2 and 4 gateways over one Redis and over 3 masters (some minutes)
  check      a small fleet for real, beside its simulation

  --costs <file>          costs to count with (default: those of docs/SIZING.md); measure writes them there
  --gateways <n>          with --masters <n> (default 3)
  --connections <n>       (default 1,000,000)
  --channels <n>          (default 1,000,000)
  --per-connection <n>    channels that a connection is on (default 1)
  --messages <n>          a second, over all channels (default 10,000)
  --skew <s>              popularity by Zipf's law: of rank r in proportion to r^-s; 0: all alike (default 0.8)
  --publish-skew <p>      the rate of a channel goes with popularity^p (default 0.5)
  --seed <n>              of where the connections are (default 1)
  --max-cpu <share>       of a core, for the busiest gateway and master (default ${DEFAULT_LIMITS.cpu})
  --max-memory <MB>       of a gateway (default ${Math.round(DEFAULT_LIMITS.gatewayMemoryBytes / 1e6)})
  --max-output <MB/s>     of a gateway or a master (default ${DEFAULT_LIMITS.outputBytes / 1e6})
  --in-flight <n>         measure: messages under way at once (default 32)
  --rate <n>              check: messages a second, at random times (default 500)
  --json <file>           what was simulated or checked, as JSON
`;

const OPTIONS = {
  costs: { type: 'string' },
  gateways: { type: 'string' },
  masters: { type: 'string', default: '3' },
  connections: { type: 'string' },
  channels: { type: 'string' },
  'per-connection': { type: 'string', default: '1' },
  messages: { type: 'string' },
  skew: { type: 'string', default: '0.8' },
  'publish-skew': { type: 'string', default: '0.5' },
  seed: { type: 'string', default: '1' },
  'max-cpu': { type: 'string' },
  'max-memory': { type: 'string' },
  'max-output': { type: 'string' },
  'in-flight': { type: 'string', default: '32' },
  rate: { type: 'string', default: '500' },
  json: { type: 'string' },
} as const;

type Values = ReturnType<typeof parseFlags<typeof OPTIONS>>['values'];

const RUNS: Readonly<Record<string, (values: Values) => Promise<unknown> | unknown>> = {
  simulate: runSimulate,
  table: (values) => print(sizingTable(costsOf(values), limitsOf(values))),
  costs: (values) => print(costsTable(costsOf(values))),
  measure: runMeasure,
  check: runCheck,
};

export async function sizingCommand(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseFlags(args, OPTIONS);
  const [name = '', ...rest] = positionals;
  const run = Object.hasOwn(RUNS, name) ? RUNS[name] : undefined;
  if (!run || rest.length > 0) throw new UsageError(`sizing takes one of ${Object.keys(RUNS).join(', ')}`);
  const result = await run(values);
  if (values.json !== undefined && result !== undefined)
    writeFileSync(values.json, `${JSON.stringify(result, undefined, 2)}\n`);
  return 0;
}

function runSimulate(values: Values): unknown {
  const costs = costsOf(values);
  const limits = limitsOf(values);
  const wanted = wantedOf(values, { connections: 1_000_000, channels: 1_000_000, messages: 10_000 });
  const seed = wholeNumber('seed', values.seed, 0);
  const fleet = fleetOf(values);
  const load: Load = fleet ? { ...wanted, ...fleet } : sizeFor(wanted, costs, limits).load;
  const simulation = simulate(load, costs, seed);
  print(simulationReport(load, simulation, limits));
  return { load, simulation };
}

async function runMeasure(values: Values): Promise<unknown> {
  const inFlight = wholeNumber('in-flight', values['in-flight']);
  const plan = { messages: 2_000, lonelyMessages: 400, inFlight, connections: 2_000, idleMs: 30_000, print };
  const { costs, rows } = await measureCosts(plan);
  print(`\n${costsTable(costs)}`);
  if (values.costs !== undefined) writeFileSync(values.costs, `${JSON.stringify(costs, undefined, 2)}\n`);
  return { costs, rows };
}

async function runCheck(values: Values): Promise<unknown> {
  const { messages, ...load } = { ...defaults(values), ...(fleetOf(values) ?? { gateways: 4, masters: 3 }) };
  const plan = {
    load,
    messages,
    rate: wholeNumber('rate', values.rate),
    seed: wholeNumber('seed', values.seed, 0),
  };
  const result = await predictAndMeasure(plan, costsOf(values));
  print(`${Math.round(result.messagesPerSecond)} messages/s\n\n${predictionTable(result.rows)}`);
  return { load, ...result };
}

/** Returns the load of a check, which by default is small enough for one machine. */
function defaults(values: Values) {
  const { messagesPerSecond: messages, ...load } = wantedOf(values, {
    connections: 600,
    channels: 300,
    messages: 5_000,
  });
  return { ...load, messages };
}

function wantedOf(values: Values, otherwise: { connections: number; channels: number; messages: number }) {
  return {
    connections: numberOr('connections', values.connections, otherwise.connections),
    channels: numberOr('channels', values.channels, otherwise.channels),
    channelsPerConnection: wholeNumber('per-connection', values['per-connection']),
    messagesPerSecond: numberOr('messages', values.messages, otherwise.messages),
    skew: decimal('skew', values.skew),
    publishSkew: decimal('publish-skew', values['publish-skew']),
  };
}

function fleetOf({ gateways, masters }: Values): Pick<Load, 'gateways' | 'masters'> | undefined {
  if (gateways === undefined) return undefined;
  return { gateways: wholeNumber('gateways', gateways), masters: wholeNumber('masters', masters) };
}

function limitsOf(values: Values): Limits {
  const or = (flag: 'max-cpu' | 'max-memory' | 'max-output', scale: number, otherwise: number) => {
    const text = values[flag];
    return text === undefined ? otherwise : decimal(flag, text) * scale;
  };
  return {
    cpu: or('max-cpu', 1, DEFAULT_LIMITS.cpu),
    gatewayMemoryBytes: or('max-memory', 1e6, DEFAULT_LIMITS.gatewayMemoryBytes),
    outputBytes: or('max-output', 1e6, DEFAULT_LIMITS.outputBytes),
  };
}

function costsOf({ costs }: Values) {
  return readCosts(costs ?? SHIPPED_COSTS);
}

function numberOr(flag: string, text: string | undefined, otherwise: number): number {
  return text === undefined ? otherwise : wholeNumber(flag, text);
}

function decimal(flag: string, text: string): number {
  if (!/^\d{1,9}(\.\d{1,9})?$/.test(text)) throw new UsageError(`--${flag} takes a number from 0 on, not ${text}`);
  return Number(text);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
