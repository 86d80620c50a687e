import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

it('npm start leaves no gateway behind when npm is told to stop', async () => {
  // A process group of its own: whatever stays behind ends with the test.
  const npm = spawn('npm', ['start', '--', '--port', '0'], {
    cwd: root,
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => {
    try {
      process.kill(-(npm.pid as number), 'SIGKILL');
    } catch {
      // Nothing is left, as it should be.
    }
  });
  let output = '';
  npm.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  await expect.poll(() => output, { timeout: 60_000 }).toMatch(/listening url=\S+/);
  const url = /url=(\S+)/.exec(output)?.[1];
  npm.kill('SIGTERM');
  await once(npm, 'exit');
  await expect
    .poll(() =>
      fetch(`${url}/health/live`).then(
        () => 'alive',
        () => 'gone',
      ),
    )
    .toBe('gone');
});
