/**
 * `npm run test:chaos [-- --seed n --minutes m --topology standalone|sentinel|cluster]`: mixed traffic over real
 * gateways and Redis servers while clients, gateways and Redis fail at once, in an order that the seed decides. By
 * default it takes a new seed, which is printed, 2 minutes, and one topology after the other. It exits with 1 if a
 * message was lost, duplicated or reordered, or a gap was left unreported.
 */
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { CHAOS_TOPOLOGIES, runChaos } from './run-chaos.mjs';
import { ensureTestPrograms } from './test-programs.mjs';
import { build } from './workspace.mjs';

const USAGE = `npm run test:chaos -- [--seed <n>] [--minutes <m>] [--topology ${CHAOS_TOPOLOGIES.join('|')}]`;

function refuse(why) {
  process.stderr.write(`${why}\n${USAGE}\n`);
  process.exit(2);
}

function flags() {
  const option = { type: 'string' };
  try {
    return parseArgs({ options: { seed: option, minutes: option, topology: option } }).values;
  } catch (error) {
    return refuse(error.message);
  }
}

const values = flags();
const seed = Number(values.seed ?? randomInt(1, 1_000_000));
const seconds = Math.round(Number(values.minutes ?? 2) * 60);
if (!Number.isSafeInteger(seed) || seed < 0) refuse(`--seed takes a whole number, not ${values.seed}`);
if (!(seconds >= 10)) refuse(`--minutes takes a number of minutes from 0.2 on, not ${values.minutes}`);
if (values.topology !== undefined && !CHAOS_TOPOLOGIES.includes(values.topology))
  refuse(`--topology takes one of ${CHAOS_TOPOLOGIES.join(', ')}, not ${values.topology}`);

await build();
await ensureTestPrograms();
for (const topology of values.topology ? [values.topology] : CHAOS_TOPOLOGIES) {
  if ((await runChaos({ seed, seconds, topology })) !== 0) process.exitCode = 1;
}
