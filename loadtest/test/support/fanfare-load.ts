import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RunResult } from '../../src/report/result.js';

const PROGRAM = fileURLToPath(new URL('../../bin/fanfare-load.mjs', import.meta.url));

export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs the program as a user does.
 * @param interruptAt once its output says this, `interrupt` is called
 * @param interrupt default: it gets a Ctrl-C
 */
export async function fanfareLoad(
  args: readonly string[],
  interruptAt?: RegExp,
  interrupt: (child: ChildProcess) => unknown = (child) => child.kill('SIGINT'),
): Promise<Outcome> {
  const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  let isInterrupted = false;
  const look = () => {
    if (!interruptAt || isInterrupted || !interruptAt.test(stdout + stderr)) return;
    isInterrupted = true;
    interrupt(child);
  };
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
    look();
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
    look();
  });
  const [status] = await once(child, 'close');
  return { status, stdout, stderr };
}

/** The same with `--json`: what it wrote, if it came that far. */
export async function measured(args: readonly string[]): Promise<Outcome & { readonly result: RunResult | undefined }> {
  const folder = mkdtempSync(path.join(tmpdir(), 'fanfare-load-test-'));
  const json = path.join(folder, 'result.json');
  try {
    const outcome = await fanfareLoad([...args, '--json', json, '--quiet']);
    let result: RunResult | undefined;
    try {
      result = JSON.parse(readFileSync(json, 'utf8')) as RunResult;
    } catch {
      // It ended before there was anything to write; its output says why.
    }
    return { ...outcome, result };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
