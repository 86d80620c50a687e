import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { compareErrors } from './types/expected-errors.js';

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

describe('the types of declared channels', () => {
  it('let compile what is right, and refuse each mistake with an error that names it', async () => {
    const tsc = [at('../../node_modules/typescript/bin/tsc'), '-p', at('types'), '--pretty', 'false'];
    const printed = await new Promise<string>((resolve) => {
      execFile(process.execPath, tsc, { cwd: at('types') }, (_, stdout) => resolve(stdout));
    });
    const { unexpected, missing } = compareErrors(readFileSync(at('types/channels.ts'), 'utf8'), printed);
    expect({ unexpected, missing }).toEqual({ unexpected: [], missing: [] });
  });
});
