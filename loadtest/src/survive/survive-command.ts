import { parseArgs } from 'node:util';
import { UsageError } from '../cli/flags.js';
import { type SurvivePlan, survive } from './survive.js';
import { ledgerOf, printLedger, printPlan } from './survive-report.js';

export const SURVIVE_USAGE = `fanfare-load survive [flags]   cuts sockets and freezes readers, prints the ledger; exit code 1 unless clean

  --transport <list>  of uws,ws: a gateway on each, one after the other (default both)
  --url <ws://...>    a gateway that runs already, instead
  --clients <n>       SDK clients on one durable channel (default 1000)
  --seconds <n>       (default 30)
  --rate <n>          messages a second (default 200)
  --bytes <n>         mean size of a message (default 1200)
  --cut <percent>     sockets cut every second (default 5)
  --freeze <percent>  readers that freeze every second, for 10 to 80 % of the run; as many for all of it (default 1)
  --threads <n>       that the clients are spread over (default 2)
  --times <n>         runs in a row (default 1)
`;

const OPTIONS = {
  transport: { type: 'string', default: 'uws,ws' },
  url: { type: 'string' },
  clients: { type: 'string', default: '1000' },
  seconds: { type: 'string', default: '30' },
  rate: { type: 'string', default: '200' },
  bytes: { type: 'string', default: '1200' },
  cut: { type: 'string', default: '5' },
  freeze: { type: 'string', default: '1' },
  threads: { type: 'string', default: '2' },
  times: { type: 'string', default: '1' },
} as const;

/** The longest freezes fill what the kernel holds (some 5 MiB on Linux), and then what the gateway does. */
const FREEZE_OF_RUN = [0.1, 0.8] as const;
/** Shorter than the silence that ends a connection (ping interval and 10 s), ms. */
const MAX_FREEZE_MS = 25_000;

interface SurviveRuns {
  /** Done one after the other. */
  readonly plans: readonly SurvivePlan[];
  /** How often. */
  readonly times: number;
}

/** @throws {Error} telling which flag is wrong. */
export function parseSurviveFlags(args: readonly string[]): SurviveRuns {
  const { values } = parseArgs({ args: [...args], options: OPTIONS });
  const { url, transport } = values;
  const number = (name: Exclude<keyof typeof OPTIONS, 'transport' | 'url'>) => {
    if (!/^[1-9]\d{0,5}$/.test(values[name])) throw new Error(`--${name} takes a number from 1 on`);
    return Number(values[name]);
  };
  if (url !== undefined && !/^ws:\/\/[^/]+:\d+/.test(url)) throw new Error('--url takes ws://host:port/ws');
  const seconds = number('seconds');
  const planFor = (on: string): SurvivePlan => {
    if (on !== 'uws' && on !== 'ws') throw new Error(`--transport knows no ${on}`);
    return {
      url,
      transport: on,
      clients: number('clients'),
      seconds,
      perSecond: number('rate'),
      meanBytes: number('bytes'),
      threads: number('threads'),
      trouble: {
        cutShare: number('cut') / 100,
        freezeShare: number('freeze') / 100,
        freezeMs: FREEZE_OF_RUN.map((share) => Math.min(MAX_FREEZE_MS, share * seconds * 1000)) as [number, number],
      },
    };
  };
  const transports = url === undefined ? transport.split(',') : ['uws'];
  return { plans: transports.map(planFor), times: number('times') };
}

/** Prints the ledger of each run. @returns 0 if all were clean, else 1. */
async function surviveRuns({ plans, times }: SurviveRuns, print: (line: string) => void): Promise<0 | 1> {
  let code: 0 | 1 = 0;
  for (const plan of Array.from({ length: times }, () => plans).flat()) {
    printPlan(plan, print);
    const outcome = await survive(plan);
    printLedger(plan, outcome, print);
    if (ledgerOf(plan, outcome).some(({ mustBeZero, value }) => mustBeZero && value !== 0)) code = 1;
  }
  return code;
}

/** @returns the exit code. */
export async function surviveCommand(args: readonly string[]): Promise<number> {
  let runs: SurviveRuns;
  try {
    runs = parseSurviveFlags(args);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  return surviveRuns(runs, (line) => process.stdout.write(`${line}\n`));
}
