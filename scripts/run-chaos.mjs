/**
 * Runs `fanfare-load verify --mix chaos` on local topologies: real processes, many faults at once, and a ledger at the
 * end.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { root } from './workspace.mjs';

export const CHAOS_TOPOLOGIES = ['standalone', 'sentinel', 'cluster'];

/**
 * Runs chaos on one topology, and says how to do the same again. Resolves with the exit code, which is 0 only if
 * nothing was lost, duplicated or reordered, and no gap was left unreported.
 */
export async function runChaos({ seed, seconds, topology }) {
  process.stdout.write(`chaos on ${topology}: --seed ${seed} --topology ${topology}, ${seconds} s\n`);
  const program = path.join(root, 'loadtest/bin/fanfare-load.mjs');
  const load = ['--connections', '120', '--rate', '120', '--gateways', '3'];
  const flags = ['--mix', 'chaos', '--every', '6s', '--duration', `${seconds}s`, '--seed', String(seed), '--quiet'];
  const child = spawn(process.execPath, [program, 'verify', '--local', topology, ...load, ...flags], {
    stdio: 'inherit',
  });
  const [code] = await once(child, 'exit');
  process.stdout.write(`chaos on ${topology}: ${code === 0 ? 'passed' : `FAILED, seed ${seed}`}\n`);
  return code ?? 1;
}
