import { seededRandom } from '../random.js';
import type { TargetPlan } from '../run/plan.js';
import { resolveScenario } from '../scenario/scenario.js';
import { type WearPlan, wearOut, wearScenario, wearSettings } from '../verify/wear.js';
import { parseFlags, UsageError, wholeNumber } from './flags.js';
import { localTarget, startLocal } from './local.js';
import { interruption, OUTPUT_OPTIONS, OUTPUT_USAGE, type OutputFlags, parseSeed, parseThresholds } from './output.js';
import { runOn } from './run-on.js';
import { parseTarget, probe, TARGET_OPTIONS } from './target.js';

export const SURVIVE_USAGE = `fanfare-load survive [flags]   verify with one plan: connections are cut and readers stop, all the time, on a gateway
                               with the memory broker; exit code 1 unless every message came once, in order

  --transport <list>    of uws,ws: a gateway on each, one after the other (default both)
  --url <ws://…>        a gateway that runs already, instead (with --api-url, --api-key, --token, --secret as for run)
  --clients <n>         of the SDK: half of them on one durable channel, half in MessagePack on another (default 1000)
  --seconds <n>         (default 30)
  --rate <n>            messages a second on each channel (default 200)
  --bytes <n>           mean size of a message (default 1200)
  --cut <percent>       connections cut every second, publishers' too (default 5)
  --freeze <percent>    readers that stop every second, for 10 to 80 % of the run; as many for all of it (default 1)
  --processes <n>       of which one publishes (default 3)
  --times <n>           runs in a row (default 1)
${OUTPUT_USAGE}
`;

const OPTIONS = {
  ...TARGET_OPTIONS,
  ...OUTPUT_OPTIONS,
  transport: { type: 'string', default: 'uws,ws' },
  clients: { type: 'string', default: '1000' },
  seconds: { type: 'string', default: '30' },
  rate: { type: 'string', default: '200' },
  bytes: { type: 'string', default: '1200' },
  cut: { type: 'string', default: '5' },
  freeze: { type: 'string', default: '1' },
  processes: { type: 'string', default: '3' },
  times: { type: 'string', default: '1' },
} as const;

/** The thresholds of a run: no client is away for so long that the log does not reach back to its position. */
const NOBODY_IS_RESET = ['resets==0', 'skipped==0'];

type Transport = 'uws' | 'ws';

/**
 * Runs `fanfare-load survive`.
 * @returns the exit code: 0 if all runs passed
 */
export async function surviveCommand(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseFlags(args, OPTIONS);
  if (positionals.length > 0) throw new UsageError(`survive takes flags only, not ${positionals.join(' ')}`);
  const plan: WearPlan = {
    clients: wholeNumber('clients', values.clients),
    durationMs: wholeNumber('seconds', values.seconds) * 1000,
    rate: wholeNumber('rate', values.rate),
    bytes: wholeNumber('bytes', values.bytes),
    cutShare: percent('cut', values.cut),
    stallShare: percent('freeze', values.freeze),
  };
  const thresholds = parseThresholds([...NOBODY_IS_RESET, ...(values.threshold ?? [])]);
  const target = values.url && parseTarget({ ...values, url: values.url });
  const transports = values.transport.split(',').map(transportNamed);
  const runs: readonly (TargetPlan | Transport)[] = Array.from({ length: wholeNumber('times', values.times) }, () =>
    target ? [target] : transports,
  ).flat();
  refuseOverwriting(values, runs.length);
  const firstSeed = parseSeed(values.seed);
  const signal = interruption();
  let code = 0;
  for (const [index, on] of runs.entries()) {
    if (signal.aborted) break;
    const seed = firstSeed + index;
    code = Math.max(code, await surviveOn(on, plan, { ...values, seed, thresholds, signal }));
  }
  return code;
}

async function surviveOn(
  on: TargetPlan | Transport,
  plan: WearPlan,
  options: Parameters<typeof runOn>[2],
): Promise<number> {
  const topology =
    typeof on === 'string'
      ? await startLocal('memory', { gateways: '1', workers: '1', settings: wearSettings(plan, on) })
      : undefined;
  try {
    const target = topology ? localTarget(topology) : (on as TargetPlan);
    await probe(target);
    const random = seededRandom(options.seed);
    return await runOn(target, resolveScenario(wearScenario(plan)), {
      ...options,
      // Speed is not measured here.
      'allow-limited': true,
      trouble: (trouble) => wearOut(plan, trouble, random),
      complaints: () => topology?.gateways.flatMap((gateway) => gateway.complaints()) ?? [],
      notes: [topology ? `A gateway of our own on ${on}, memory broker.` : 'A gateway that runs already.'],
    });
  } finally {
    await topology?.stop();
  }
}

function percent(flag: string, text: string): number {
  const value = wholeNumber(flag, text, 0);
  if (value > 100) throw new UsageError(`--${flag} takes a percentage, not ${text}`);
  return value / 100;
}

function transportNamed(name: string): Transport {
  if (name !== 'uws' && name !== 'ws') throw new UsageError(`--transport knows no ${name}`);
  return name;
}

function refuseOverwriting(flags: OutputFlags, runs: number): void {
  const file = (['json', 'html', 'prometheus'] as const).find((flag) => flags[flag] !== undefined);
  if (file !== undefined && runs > 1)
    throw new UsageError(`--${file} is for one run: name one --transport, and no --times`);
}
