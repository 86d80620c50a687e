/** An example of `examples/`, run by its one command: `npm run example -- NAME`, which starts a gateway too. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { onTestFinished } from 'vitest';

const SCRIPT = fileURLToPath(new URL('../../../scripts/example.mjs', import.meta.url));

/** Resolves once it has printed its own address, which is not the gateway's. */
export async function startExample(name: string, flags: readonly string[] = []) {
  const args = [SCRIPT, name, '--port', '0', ...flags];
  const child = spawn(process.execPath, args, {
    env: { ...process.env, FORCE_COLOR: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit');
  onTestFinished(async () => {
    child.kill('SIGTERM');
    await exited;
  });
  let output = '';
  const printed = (pattern: RegExp) =>
    new Promise<string>((resolve, reject) => {
      const look = (bytes: Buffer | '' = '') => {
        output += stripVTControlCharacters(bytes.toString());
        const found = pattern.exec(output)?.[1];
        if (found) resolve(found);
      };
      look();
      for (const stream of [child.stdout, child.stderr]) stream.on('data', look);
      child.once('exit', () => reject(new Error(`the example ended:\n${output}`)));
    });
  const gateway = await printed(/the gateway: (\S+)/);
  const url = await printed(/(?<!gateway: )(http:\/\/[^\s/]+)/);
  return { url, gateway };
}
