import { writeFileSync } from 'node:fs';
import { runBench } from '../bench/bench.js';
import { LONG_SECTIONS, SECTIONS, type Section } from '../bench/plan.js';
import { parseFlags, UsageError, wholeNumber } from './flags.js';
import { interruption } from './output.js';

const list = (sections: readonly Section[]) =>
  sections.map((name) => `  ${name.padEnd(16)}  ${SECTIONS[name]}`).join('\n');
const ALL = Object.keys(SECTIONS) as Section[];
const SHORT = ALL.filter((name) => !LONG_SECTIONS.includes(name));

export const BENCH_USAGE = `fanfare-load bench [flags]   measures Fanfare beside a bare uWebSockets.js server

  --quick           one round, fewer cases, fewer connections (about half a minute)
  --full            all sections, more cases, longer runs
  --rounds <n>      rounds of each case (default 3; medians are printed)
  --only <list>     the sections to run, of those below
  --redis           with Redis in the path (needs redis-server)
  --dialect <name>  json or compact (default: what the SDK takes); the baseline is fed frames of the same size
  --json <file>     writes every figure as JSON as well

sections:
${list(SHORT)}
sections that run with --full, or when --only names them:
${list(LONG_SECTIONS)}
`;

const OPTIONS = {
  quick: { type: 'boolean', default: false },
  full: { type: 'boolean', default: false },
  rounds: { type: 'string' },
  only: { type: 'string' },
  redis: { type: 'boolean', default: false },
  dialect: { type: 'string', default: 'compact' },
  json: { type: 'string' },
} as const;

/**
 * Runs `fanfare-load bench`.
 * @returns the exit code: 1 if a section failed
 */
export async function benchCommand(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseFlags(args, OPTIONS);
  if (positionals.length > 0) throw new UsageError(`bench takes flags only, not ${positionals.join(' ')}`);
  const only = values.only?.split(',') ?? (values.full ? ALL : SHORT);
  const unknown = only.find((name) => !Object.hasOwn(SECTIONS, name));
  if (unknown !== undefined) throw new UsageError(`--only knows no ${unknown}`);
  const { dialect } = values;
  if (dialect !== 'json' && dialect !== 'compact') throw new UsageError(`--dialect knows no ${dialect}`);
  const report = await runBench({
    extent: values.quick ? 'quick' : values.full ? 'full' : 'normal',
    rounds: values.rounds === undefined ? undefined : wholeNumber('rounds', values.rounds),
    sections: only as readonly Section[],
    redis: values.redis,
    dialect,
    signal: interruption(),
    print: (text) => process.stdout.write(`${text}\n`),
  });
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(report.toJson(), undefined, 2)}\n`);
  return report.faults.length > 0 ? 1 : 0;
}
