/**
 * `npm run example [-- NAME]`: starts a gateway on a free port and an example of `examples/` that uses it. Ctrl-C ends
 * both. With `--into FOLDER`, which is new or empty, the example is copied there first, as a start of your own. Packages
 * that are missing are installed from the registry, beside it. FANFARE_URL and FANFARE_JWT_SECRET (FANFARE_API_KEY) name
 * another gateway to use.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { build, fail, root } from './workspace.mjs';

const NODE = process.execPath;
/** Stands for a Python that has what requirements.txt names. */
const PYTHON = 'python3';
/** What each example runs in its folder. `hint` says what to type in another terminal. */
const EXAMPLES = {
  'react-chat': { about: 'a chat in React: history, presence, a token for each user', run: ['npm', 'run', 'dev'] },
  nextjs: { about: 'Next.js: the server publishes and signs tokens, pages subscribe', run: ['npm', 'run', 'dev'] },
  node: {
    about: 'a backend on plain Node: signs tokens and publishes',
    run: [NODE, 'backend.mjs'],
    hint: ({ PORT }) => `curl -d '{"user":"ada","text":"hello"}' localhost:${PORT}/say`,
  },
  python: {
    about: 'Python: a reader that comes back, and a publisher of the standard library',
    run: [PYTHON, 'subscribe.py', 'demo:hello'],
    hint: ({ FANFARE_URL }) => `FANFARE_URL=${FANFARE_URL} python3 examples/python/publish.py demo:hello '{"n":1}'`,
  },
};

const usage = () => {
  const names = Object.entries(EXAMPLES).map(([name, { about }]) => `  ${name.padEnd(12)}${about}\n`);
  process.stdout.write(`npm run example -- NAME [--port 3000] [--into FOLDER]\n\n${names.join('')}`);
};

const options = { port: { type: 'string', default: '3000' }, into: { type: 'string' } };
const { values, positionals } = parseArgs({ options, allowPositionals: true });
const [name] = positionals;
if (name === undefined) {
  usage();
  process.exit(0);
}
if (!Object.hasOwn(EXAMPLES, name)) {
  usage();
  fail(`there is no example ${name}`);
}
const original = path.join(root, 'examples', name);
const folder = values.into === undefined ? original : path.resolve(values.into);
if (folder !== original) {
  if (existsSync(folder) && readdirSync(folder).length > 0) fail(`${folder} has something in it already`);
  const isSource = (file) => !/[\\/](node_modules|\.next|\.venv)$/.test(file);
  cpSync(original, folder, { recursive: true, filter: isSource });
}
await build();
installPackages(folder);

const running = new Map();
/** Starts a program in a process group of its own, so that what it has started ends with it. */
function start(program, args, env) {
  const child = spawn(program, args, {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: 'inherit',
    detached: true,
  });
  child.on('error', ({ message }) => fail(`${program}: ${message}`));
  running.set(child, once(child, 'exit'));
  child.once('exit', () => running.delete(child));
  return child;
}
let isEnding = false;
async function end(code) {
  if (isEnding) return;
  isEnding = true;
  const children = [...running];
  for (const [{ pid }] of children) tell(pid, 'SIGTERM');
  const late = new Promise((resolve) => setTimeout(resolve, 2_000));
  await Promise.race([late, Promise.all(children.map(([, exited]) => exited))]);
  // The programs that they have started may take longer to end than they do.
  for (const [{ pid }] of children) tell(pid, 'SIGKILL');
  process.exit(code);
}
function tell(group, signal) {
  try {
    process.kill(-group, signal);
  } catch {
    // All processes of the group have ended.
  }
}
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => end(0));

const { FANFARE_URL, FANFARE_JWT_SECRET, FANFARE_API_KEY = 'dev' } = process.env;
const gateway =
  FANFARE_URL === undefined
    ? await startGateway(FANFARE_JWT_SECRET ?? randomBytes(32).toString('hex'))
    : { FANFARE_URL, FANFARE_JWT_SECRET: FANFARE_JWT_SECRET ?? '' };
process.stdout.write(`the gateway: ${gateway.FANFARE_URL}\n`);
const FANFARE_WS_URL = `${gateway.FANFARE_URL.replace(/^http/, 'ws')}/ws`;
const PORT = values.port === '0' ? String(await freePort()) : values.port;
const { run, hint } = EXAMPLES[name];
const [named, ...args] = run;
const program = named === PYTHON ? pythonIn(folder) : named;
const example = start(program, args, { ...gateway, FANFARE_WS_URL, FANFARE_API_KEY, PORT });
if (hint) process.stdout.write(`${hint({ ...gateway, PORT })}\n`);
const [code] = await once(example, 'exit');
await end(code ?? 1);

async function startGateway(secret) {
  const port = await freePort();
  const url = `http://localhost:${port}`;
  const settings = { FANFARE_PORT: String(port), FANFARE_JWT_SECRET: secret, FANFARE_LOG_LEVEL: 'warn' };
  const child = start(NODE, [path.join(root, 'gateway/bin/fanfare.mjs'), 'serve'], settings);
  child.once('exit', (code) => end(code ?? 1));
  while (!(await fetch(`${url}/health/ready`).catch(() => undefined))?.ok)
    await new Promise((resolve) => setTimeout(resolve, 50));
  return { FANFARE_URL: url, FANFARE_JWT_SECRET: secret };
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  return port;
}

/** Installs the packages as users do, with the SDK from a file that `npm pack` makes as it would be published. */
function installPackages(folder) {
  const manifest = path.join(folder, 'package.json');
  if (!existsSync(manifest)) return;
  const { dependencies = {}, devDependencies = {} } = JSON.parse(readFileSync(manifest, 'utf8'));
  const places = createRequire(manifest).resolve.paths('a');
  const isThere = (name) => places.some((place) => existsSync(path.join(place, name, 'package.json')));
  if (Object.keys({ ...dependencies, ...devDependencies }).every(isThere)) return;
  process.stdout.write('installing its packages\n');
  const packed = mkdtempSync(path.join(tmpdir(), 'fanfare-pack-'));
  mkdirSync(path.join(folder, 'node_modules'), { recursive: true });
  const npm = (cwd, ...args) =>
    execFileSync('npm', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  const file = npm(path.join(root, 'client-sdk'), 'pack', '--silent', '--pack-destination', packed).trim();
  npm(folder, 'install', '--no-save', '--no-package-lock', '--no-audit', '--no-fund', path.join(packed, file));
  rmSync(packed, { recursive: true });
}

/**
 * Returns `python3` if it has the packages of the folder. Otherwise returns that of an environment beside the folder,
 * which gets the packages.
 */
function pythonIn(folder) {
  const has = (python) => spawnSync(python, ['-c', 'import websockets']).status === 0;
  if (has(PYTHON)) return PYTHON;
  const python = path.join(folder, '.venv/bin/python');
  if (has(python)) return python;
  process.stdout.write('installing its packages\n');
  const run = (program, ...args) => execFileSync(program, args, { cwd: folder, stdio: 'inherit' });
  run(PYTHON, '-m', 'venv', '.venv');
  run(python, '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', 'requirements.txt');
  return python;
}
