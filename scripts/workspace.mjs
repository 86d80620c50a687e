/** What every command of the workspace begins with: dependencies are installed, and packages are built. */
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleSdk } from './bundle-sdk.mjs';

export const root = fileURLToPath(new URL('..', import.meta.url));
export const PACKAGES = ['protocol', 'client-sdk', 'gateway', 'loadtest'];

const inRoot = (...parts) => path.join(root, ...parts);
/** A file that npm writes at the end of an installation. */
const INSTALLED = inRoot('node_modules/.package-lock.json');
/** A file whose time is when the last complete build began. */
const BUILT = inRoot('node_modules/.cache/fanfare/built');

/** Ends the process with a line on stderr. */
export function fail(line) {
  process.stderr.write(`${line}\n`);
  process.exit(1);
}

/**
 * Runs a program, in the root folder unless told otherwise, and resolves with its exit code (1 if a signal ended it).
 * With `quiet` its output is shown only if it fails.
 */
export function run(program, args, { quiet = false, env = process.env, cwd = root } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, env, stdio: quiet ? ['ignore', 'pipe', 'pipe'] : 'inherit' });
    const output = [];
    child.stdout?.on('data', (chunk) => output.push(chunk));
    child.stderr?.on('data', (chunk) => output.push(chunk));
    child.on('error', reject);
    child.on('close', (code) => {
      if (code !== 0) process.stderr.write(Buffer.concat(output));
      resolve(code ?? 1);
    });
  });
}

/** Runs a Node program of `node_modules`, e.g. `typescript/bin/tsc`. */
export function runTool(tool, args, options) {
  return run(process.execPath, [inRoot('node_modules', tool), ...args], options);
}

/** Installs with npm unless `node_modules` is at least as new as `package-lock.json`. */
export async function install() {
  if (modified(INSTALLED) >= modified(inRoot('package-lock.json'))) return;
  process.stderr.write('installing dependencies (npm ci)\n');
  const npm = process.env.npm_execpath;
  const code = await (npm?.endsWith('.js')
    ? run(process.execPath, [npm, 'ci'], { quiet: true })
    : run('npm', ['ci'], { quiet: true }));
  if (code !== 0) fail('npm ci failed, see above');
}

/** Installs and compiles what is out of date; resolves at once if nothing is. */
export async function build({ force = false } = {}) {
  await install();
  const complete =
    PACKAGES.every((name) => existsSync(inRoot(name, 'dist'))) &&
    existsSync(inRoot('client-sdk/dist/index.js')) &&
    existsSync(inRoot('gateway/dist/demo'));
  if (!force && complete && modified(BUILT) >= newestInput()) return;
  const startedAt = new Date();
  process.stderr.write('building\n');
  const args = ['-b', ...(complete ? [] : ['--force'])];
  if ((await runTool('typescript/bin/tsc', args, { quiet: true })) !== 0) fail('the build failed, see above');
  copyLuaScripts();
  await bundleSdk(root).catch((error) => fail(`the SDK could not be bundled: ${error.message}`));
  await bundleDemo();
  mkdirSync(path.dirname(BUILT), { recursive: true });
  writeFileSync(BUILT, '');
  utimesSync(BUILT, startedAt, startedAt);
}

/** Returns when anything that the build reads was last changed, ms. Folders count too, so that a removal is seen. */
function newestInput() {
  const files = [
    'package-lock.json',
    'tsconfig.json',
    'tsconfig.base.json',
    'scripts/workspace.mjs',
    'scripts/bundle-sdk.mjs',
  ].map((file) => inRoot(file));
  const folders = PACKAGES.flatMap((name) => [inRoot(name, 'src')]).concat(inRoot('gateway/demo'));
  for (const name of PACKAGES) files.push(inRoot(name, 'package.json'), inRoot(name, 'tsconfig.json'));
  for (const folder of folders) {
    files.push(folder);
    if (existsSync(folder))
      for (const entry of readdirSync(folder, { recursive: true })) files.push(path.join(folder, entry));
  }
  return Math.max(...files.map(modified));
}

function modified(file) {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** Copies the scripts for Redis, which the compiler leaves behind. */
function copyLuaScripts() {
  const from = inRoot('gateway/src');
  for (const file of readdirSync(from, { recursive: true })) {
    if (!file.endsWith('.lua')) continue;
    const to = inRoot('gateway/dist', file);
    mkdirSync(path.dirname(to), { recursive: true });
    cpSync(path.join(from, file), to);
  }
}

/** Bundles the page at `/`: its script, those of its threads, and every other file of the folder as it is. */
async function bundleDemo() {
  const from = inRoot('gateway/demo');
  const to = inRoot('gateway/dist/demo');
  rmSync(to, { recursive: true, force: true });
  cpSync(from, to, { recursive: true, filter: (source) => !source.endsWith('.ts') });
  const { build: bundle, stop } = await import('esbuild');
  await bundle({
    entryPoints: ['main.ts', 'reader-worker.ts', 'publisher-worker.ts'].map((name) => path.join(from, name)),
    outdir: to,
    bundle: true,
    minify: true,
    sourcemap: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    logLevel: 'warning',
  }).catch(() => fail('the demo page could not be bundled, see above'));
  // The service of the bundler would live as long as this process, which may become a gateway.
  await stop();
}
