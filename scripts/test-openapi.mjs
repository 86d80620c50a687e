/**
 * `npm run test:openapi [-- options of st run]`: schemathesis, from PyPI and in a folder of its own in the cache, asks
 * gateways on both transports whatever their OpenAPI document allows, and also what it does not. Exits with 1 if it
 * finds something.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { build, fail, root, run } from './workspace.mjs';

const VERSION = '4.32.5';
const KEY = 'a-key-that-is-long-enough';
const folder = path.join(
  process.env.XDG_CACHE_HOME || path.join(homedir(), '.cache'),
  'fanfare',
  `schemathesis-${VERSION}`,
);
const program = path.join(folder, 'bin', 'st');

await build();
await install();
// Schemathesis leaves what it generated in the folder where it runs.
const cwd = mkdtempSync(path.join(tmpdir(), 'fanfare-openapi-'));
let isClean = true;
for (const transport of ['uws', 'ws']) {
  const gateway = await startGateway(transport);
  process.stdout.write(`\nthe HTTP API on ${transport}\n`);
  const args = ['--header', `Authorization: Bearer ${KEY}`, '--continue-on-failure', '--max-examples', '50'];
  const env = {
    ...process.env,
    PYTHONDONTWRITEBYTECODE: '1',
    SCHEMATHESIS_HOOKS: path.join(root, 'scripts/openapi-hooks.py'),
  };
  const code = await run(program, ['run', `${gateway.url}/v1/openapi.json`, ...args, ...process.argv.slice(2)], {
    env,
    cwd,
  });
  gateway.child.kill('SIGTERM');
  isClean &&= code === 0;
}
rmSync(cwd, { recursive: true });
process.exitCode = isClean ? 0 : 1;

/** Installs schemathesis. Later runs find it in the cache. */
async function install() {
  if (existsSync(program)) return;
  process.stderr.write(`installing schemathesis ${VERSION} (pip)\n`);
  if ((await run('python3', ['-m', 'venv', folder], { quiet: true })) !== 0)
    fail('it needs python3 with venv: sudo apt-get install python3-venv');
  const pip = ['install', '--quiet', '--disable-pip-version-check', `schemathesis==${VERSION}`];
  if ((await run(path.join(folder, 'bin', 'pip'), pip, { quiet: true })) !== 0) fail('pip failed, see above');
}

/** Starts a gateway with its own broker, on a free port. */
async function startGateway(transport) {
  const env = {
    ...process.env,
    FANFARE_MODE: 'development',
    FANFARE_PORT: '0',
    FANFARE_TRANSPORT: transport,
    FANFARE_API_KEYS: KEY,
    FANFARE_LOG_LEVEL: 'info',
  };
  const child = spawn(process.execPath, ['gateway/bin/fanfare.mjs', 'serve'], {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  process.once('exit', () => child.kill('SIGKILL'));
  for await (const line of createInterface({ input: child.stdout })) {
    const url = /\blistening\b.*\burl"?[=:]\s*"?(https?:\/\/[^\s"]+)/.exec(line)?.[1];
    if (url) {
      child.stdout.resume();
      return { child, url: url.replace(/\/+$/, '') };
    }
  }
  return fail('the gateway did not start');
}
