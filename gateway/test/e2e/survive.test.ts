/** `npm run survive` in short: SDK clients whose sockets are cut and whose readers freeze lose nothing. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const PROGRAM = fileURLToPath(new URL('../../../loadtest/bin/fanfare-load.mjs', import.meta.url));
const run = promisify(execFile);

/** Enough bytes that who freezes at once outlasts what the kernel holds (some 5 MB), and lags. */
const FLAGS = ['--clients', '100', '--seconds', '6', '--bytes', '8000', '--freeze', '2'];

it.each(['uws', 'ws'])('on %s nothing is lost, duplicated or reordered', { timeout: 180_000 }, async (transport) => {
  const { stdout } = await run(process.execPath, [PROGRAM, 'survive', '--transport', transport, ...FLAGS]).catch(
    (failure: { stdout: string; stderr: string }) => expect.fail(`${failure.stdout}\n${failure.stderr}`),
  );
  const rows = [...stdout.matchAll(/^ {2} *(\S.*?) {2,}([\d,]+)(?: {2}(ok|FAILED))?$/gm)];
  const ledger = new Map(rows.map(([, name, value]) => [name, Number(value?.replaceAll(',', ''))]));
  for (const name of ['lost', 'duplicated', 'reordered', 'altered', 'resets']) expect(ledger.get(name), name).toBe(0);
  expect(ledger.get('messages received')).toBe(ledger.get('messages owed to all clients'));
  expect(ledger.get('messages acknowledged')).toBe(1_200);
  for (const name of ['sockets cut', 'readers frozen', 'taken off their channel (lagged)', 'resumed']) {
    expect(ledger.get(name), name).toBeGreaterThan(0);
  }
});
