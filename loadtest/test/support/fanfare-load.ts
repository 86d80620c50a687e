import { spawn } from 'node:child_process';
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

/** Runs the program as a user does. @param whileRunning is given what sends Ctrl-C */
export async function fanfareLoad(
  args: readonly string[],
  whileRunning?: (interrupt: () => void) => void,
): Promise<Outcome> {
  const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  whileRunning?.(() => child.kill('SIGINT'));
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
