/** The `fanfare` program as a process of its own, for the time of one test. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

const PROGRAM = fileURLToPath(new URL('../../bin/fanfare.mjs', import.meta.url));

/** Starts it in a private folder, with no other environment. */
export async function startFanfare(argv: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return startProcess([process.execPath, PROGRAM, ...argv], env);
}

/** Runs it to its end. */
export async function fanfare(argv: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const { output, closed } = await startFanfare(argv, env);
  const [code] = await closed;
  return { code, ...output };
}

/** @param folder where it runs; default: a private one */
export async function startProcess(
  [program = '', ...args]: readonly string[],
  env: Readonly<Record<string, string>>,
  folder?: string,
) {
  const cwd = folder ?? (await mkdtemp(join(tmpdir(), 'fanfare-program-')));
  if (folder === undefined) onTestFinished(() => rm(cwd, { recursive: true }));
  const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].on('data', (chunk: Buffer) => {
      output[name] += chunk.toString();
    });
  }
  return { child, output, closed: once(child, 'close') as Promise<[number | null, string | null]> };
}
