import { BUILT_IN } from '../scenario/builtin.js';
import { loadScenario } from '../scenario/load-scenario.js';
import { type Scenario, withDuration } from '../scenario/scenario.js';
import { parseFlags, timeMs, UsageError, wholeNumber } from './flags.js';
import { localTarget, startLocal } from './local.js';
import { interruption, OUTPUT_OPTIONS, OUTPUT_USAGE, parseSeed, parseThresholds } from './output.js';
import { runOn } from './run-on.js';
import { DEFAULT_URL, parseTarget, probe, TARGET_OPTIONS } from './target.js';

export const RUN_USAGE = `fanfare-load run <scenario> [flags]   runs a scenario, audits every message, prints the figures

  <scenario>            a file (.yaml, .json, .ts, .mjs) or one of
                        ${Object.entries(BUILT_IN)
                          .map(([name, { description }]) => `${name.padEnd(10)}${description}`)
                          .join('\n                        ')}
  --local <topology>    starts a gateway here, with memory, standalone, sentinel or cluster behind it; with
  --gateways <n>        so many gateways (default 1), of
  --workers <n>         so many processes each (default 1)
  --url <ws://…>        a gateway; may be repeated, connections are spread (default ${DEFAULT_URL})
  --api-url <http://…>  its HTTP API (default: the same host and port)
  --api-key <key>       for publishing by HTTP (default $FANFARE_API_KEY, or dev)
  --token <jwt>         for every connection; or
  --secret <secret>     signs a token for each of them (HS256)
  --duration <time>     of the longest stage, such as 30s
  --connections <n>     of a scenario's only group, instead of its own
  --channels <n>        the same for its channels
  --rate <n>            messages a second of a scenario's only group; or
  --in-flight <n>       messages in flight (closed model)
  --processes <n>       generator processes (default: what the connections and the cores ask for)
  --agents <a,b>        host:port of agents that generate the load instead (fanfare-load agent)
${OUTPUT_USAGE}
`;

const OPTIONS = {
  ...TARGET_OPTIONS,
  ...OUTPUT_OPTIONS,
  duration: { type: 'string' },
  connections: { type: 'string' },
  channels: { type: 'string' },
  rate: { type: 'string' },
  'in-flight': { type: 'string' },
  processes: { type: 'string' },
  agents: { type: 'string' },
  local: { type: 'string' },
  gateways: { type: 'string', default: '1' },
  workers: { type: 'string', default: '1' },
} as const;

/**
 * Runs `fanfare-load run`.
 * @returns the exit code: 0 if the run passed, 1 if it failed
 */
export async function runCommand(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseFlags(args, OPTIONS);
  const [name, ...others] = positionals;
  if (name === undefined || others.length > 0) throw new UsageError('run takes one scenario');
  const thresholds = parseThresholds(values.threshold ?? []);
  const seed = parseSeed(values.seed);
  const durationMs = values.duration === undefined ? undefined : timeMs('duration', values.duration);
  const scenario = withDuration(overridden(await loadScenario(name), values), durationMs);
  const signal = interruption();
  const topology = values.local === undefined ? undefined : await startLocal(values.local, values);
  try {
    const target = topology ? localTarget(topology) : parseTarget({ ...values, url: values.url ?? [DEFAULT_URL] });
    await probe(target);
    return await runOn(target, scenario, { ...values, seed, thresholds, signal });
  } finally {
    await topology?.stop();
  }
}

type Overrides = { readonly [name in 'connections' | 'channels' | 'rate' | 'in-flight']?: string | undefined };

function overridden(scenario: Scenario, flags: Overrides) {
  const given = (['connections', 'channels', 'rate', 'in-flight'] as const).filter((flag) => flags[flag] !== undefined);
  if (given.length === 0) return scenario;
  const [entry, ...others] = Object.entries(scenario.groups);
  if (!entry || others.length > 0) throw new UsageError(`--${given[0]} is for scenarios of one group`);
  const [name, group] = entry;
  const connections =
    flags.connections === undefined ? group.connections : wholeNumber('connections', flags.connections);
  const channels = flags.channels === undefined ? group.channels : wholeNumber('channels', flags.channels);
  let { publish } = group;
  if (flags.rate !== undefined && flags['in-flight'] !== undefined)
    throw new UsageError('--rate or --in-flight, not both');
  if (publish && flags.rate !== undefined) {
    const rate = Number(flags.rate);
    if (!(rate > 0)) throw new UsageError(`--rate takes a number above 0, not ${flags.rate}`);
    publish = { ...publish, rate, inFlight: undefined };
  }
  if (publish && flags['in-flight'] !== undefined) {
    publish = { ...publish, inFlight: wholeNumber('in-flight', flags['in-flight']), rate: undefined };
  }
  return { ...scenario, groups: { [name]: { ...group, connections, channels, publish } } };
}
