/** `fanfare-load`: the one place that reads arguments and ends the process. */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { runBench } from './bench.js';
import { SECTIONS, type Section } from './plan.js';
import { parseSurviveFlags, SURVIVE_USAGE, type SurviveRuns, surviveRuns } from './survive/survive-command.js';

const USAGE = `fanfare-load bench [flags]   measures Fanfare beside a bare uWebSockets.js server

  --quick           one round, fewer cases, fewer connections (about half a minute)
  --full            more cases, longer runs
  --rounds <n>      rounds of each case (default 3; medians are printed)
  --only <list>     of ${SECTIONS.join(',')}
  --redis           with Redis in the path (needs redis-server)
  --json <file>     writes every figure as JSON as well

${SURVIVE_USAGE}`;

function usage(problem: string): never {
  process.stderr.write(`${problem}\n\n${USAGE}`);
  process.exit(2);
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        quick: { type: 'boolean', default: false },
        full: { type: 'boolean', default: false },
        rounds: { type: 'string' },
        only: { type: 'string' },
        redis: { type: 'boolean', default: false },
        json: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    return usage((error as Error).message);
  }
}

async function runSurvive(args: readonly string[]): Promise<number> {
  let runs: SurviveRuns;
  try {
    runs = parseSurviveFlags(args);
  } catch (error) {
    return usage((error as Error).message);
  }
  return surviveRuns(runs, (line) => process.stdout.write(`${line}\n`));
}

const [command, ...flags] = process.argv.slice(2);
if (command === 'survive' && !flags.includes('--help')) process.exit(await runSurvive(flags));
const { values, positionals } = parse(process.argv.slice(2));
if (values.help) {
  process.stdout.write(USAGE);
  process.exit(0);
}
if (positionals[0] !== 'bench' || positionals.length > 1) usage(`unknown command: ${positionals.join(' ')}`);
if (values.rounds !== undefined && !/^[1-9]\d?$/.test(values.rounds)) usage('--rounds takes 1-99');
const only = values.only?.split(',') ?? SECTIONS;
const unknown = only.find((name) => !SECTIONS.includes(name as Section));
if (unknown !== undefined) usage(`--only knows no ${unknown}`);

const report = await runBench({
  extent: values.quick ? 'quick' : values.full ? 'full' : 'normal',
  rounds: values.rounds === undefined ? undefined : Number(values.rounds),
  sections: only as readonly Section[],
  redis: values.redis,
  print: (text) => process.stdout.write(`${text}\n`),
});
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(report.toJson(), undefined, 2)}\n`);
process.exit(report.faults.length > 0 ? 1 : 0);
