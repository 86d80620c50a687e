/** `examples/node` as its users get it: copied to a folder, with the SDK from its package. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { startExample } from '../../../gateway/test/support/example.js';

it('a copy of the Node backend has what it needs beside it', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'fanfare-node-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const { url } = await startExample('node', ['--into', folder]);
  expect((await fetch(`${url}/token?user=ada`)).status).toBe(200);
});
