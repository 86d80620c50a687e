import { resolveScenario } from '../scenario/scenario.js';
import { TOPOLOGIES, type TopologyKind } from '../topology/topology.js';
import { type Fault, faultsFor } from '../verify/faults.js';
import { causeTrouble, MIXES, type Mix, verifyScenario } from '../verify/verify.js';
import { parseFlags, timeMs, UsageError, wholeNumber } from './flags.js';
import { localTarget, startLocal, topologyKind } from './local.js';
import { interruption, OUTPUT_OPTIONS, OUTPUT_USAGE, parseSeed, parseThresholds } from './output.js';
import { runOn } from './run-on.js';
import { parseTarget, probe, TARGET_OPTIONS } from './target.js';

export const VERIFY_USAGE = `fanfare-load verify <url> [<url> …] [flags]   faults happen, every message is accounted for; exit code 1 unless all came once, in order
fanfare-load verify --local <topology> [flags]

  <url>                 gateways of one deployment of yours (ws://host:port/ws): clients are cut, stop reading, come
                        back through another gateway, go silent, send what is malformed
  --local <topology>    starts ${TOPOLOGIES.join(', ')} here, real processes, and also kills and freezes gateways
                        and servers, fails over, moves slots (needs redis-server, redis-sentinel)
  --mix <name>          plain (default): small messages with keys, one fault at a time. chaos: large ones too, publishers
                        without keys, over WebSockets and in batches, 20 channels a client, a history of 10, publishes that
                        wait for replicas, and faults of clients, gateways and Redis at once. Needs a namespace \`brief\`
  --gateways <n>        of a local topology (default 2; memory: 1)
  --program <file>      another build of the gateway than the one beside this package
  --duration <time>     (default 1m)
  --every <time>        from one fault to the next, give or take a third (default 15s)
  --only <text>         only faults whose name contains it; may be repeated
  --connections <n>     (default 200)
  --rate <n>            messages a second (default 90)
  --api-url, --api-key, --token, --secret   as for run
${OUTPUT_USAGE}
`;

const OPTIONS = {
  ...TARGET_OPTIONS,
  ...OUTPUT_OPTIONS,
  local: { type: 'string' },
  gateways: { type: 'string' },
  mix: { type: 'string', default: 'plain' },
  program: { type: 'string' },
  duration: { type: 'string', default: '1m' },
  every: { type: 'string', default: '15s' },
  only: { type: 'string', multiple: true },
  connections: { type: 'string', default: '200' },
  rate: { type: 'string', default: '90' },
} as const;

/**
 * Runs `fanfare-load verify`.
 * @returns the exit code: 0 if the run passed, 1 if it failed
 */
export async function verifyCommand(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseFlags(args, OPTIONS);
  const urls = [...positionals, ...(values.url ?? [])];
  if ((urls.length === 0) === (values.local === undefined)) throw new UsageError('verify takes either URLs or --local');
  const kind = values.local === undefined ? undefined : topologyKind(values.local);
  const durationMs = timeMs('duration', values.duration);
  const everyMs = timeMs('every', values.every);
  const connections = wholeNumber('connections', values.connections, 3);
  const rate = wholeNumber('rate', values.rate);
  const thresholds = parseThresholds(values.threshold ?? []);
  const seed = parseSeed(values.seed);
  const mix = mixNamed(values.mix);
  const lanes = faultsNamed(kind, values.only);
  const signal = interruption();
  const gateways = values.gateways ?? (kind === 'memory' ? '1' : '2');
  const topology = kind && (await startLocal(kind, { gateways, workers: '1', program: values.program }));
  try {
    const target = topology ? localTarget(topology) : parseTarget({ ...values, url: urls });
    await probe(target);
    const scenario = resolveScenario(verifyScenario({ mix, durationMs, connections, rate }));
    return await runOn(target, scenario, {
      ...values,
      seed,
      thresholds,
      signal,
      // Speed is not measured here.
      'allow-limited': true,
      verifyEvery: 1,
      trouble: (trouble) =>
        causeTrouble(
          {
            ...{ topology, urls: target.urls, seed, everyMs, durationMs },
            lanes: mix === 'chaos' ? lanes : [lanes.flat()],
          },
          trouble,
        ),
      mend: async () => topology?.mend(),
      notes: [
        topology
          ? `A local ${topology.kind} topology: ${topology.gateways.length} gateways, ${topology.servers?.nodes.length ?? 0} Redis servers.`
          : 'A deployment that was only reached through its clients.',
      ],
    });
  } finally {
    await topology?.stop();
  }
}

function mixNamed(name: string): Mix {
  const mix = MIXES.find((one) => one === name);
  if (!mix) throw new UsageError(`--mix takes ${MIXES.join(' or ')}, not ${name}`);
  return mix;
}

function faultsNamed(
  kind: TopologyKind | undefined,
  only: readonly string[] | undefined,
): readonly (readonly Fault[])[] {
  const all = faultsFor(kind);
  const isChosen = ({ name }: Fault) => only === undefined || only.some((text) => name.includes(text));
  const chosen = all.map((faults) => faults.filter(isChosen)).filter((faults) => faults.length > 0);
  if (chosen.length > 0) return chosen;
  const names = all.flat().map(({ name }) => name);
  throw new UsageError(`--only: no fault is named so; there are\n  ${names.join('\n  ')}`);
}
