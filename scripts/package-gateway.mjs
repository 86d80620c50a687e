/**
 * What `npm pack` and `npm publish` of the gateway run (`prepack`, `postpack`), in the folder of the package.
 *
 * `fill`: builds what is out of date and puts beside it what the tarball carries: every package that it needs, as
 * installed and locked here, so that it installs without a registry, and the licenses. uWebSockets.js is left out: it
 * is optional, and fifty times as large. `clear`: takes all of that away again.
 */
import { cpSync, existsSync, mkdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import path from 'node:path';
import { build, fail, root } from './workspace.mjs';

/** Files that nothing loads: source maps, sources that were compiled, and what is beside the program of a package. */
const NEVER_LOADED = /\.map$|(?<!\.d)\.[cm]?ts$|^(test|tests|docs|benchmarks|examples|\.github)$/;
const LEGAL = ['LICENSE', 'THIRD-PARTY-NOTICES.md'];

const folder = process.cwd();
const modules = path.join(folder, 'node_modules');

const [step] = process.argv.slice(2);
if (step === 'fill') await fill();
else if (step === 'clear') clear();
else throw new Error('expected fill or clear');

async function fill() {
  const { dependencies, bundleDependencies } = manifest(folder);
  const left = Object.keys(dependencies).filter((name) => !bundleDependencies.includes(name));
  if (left.length > 0) fail(`gateway/package.json: bundleDependencies lacks ${left.join(', ')}`);
  await build();
  clear();
  for (const name of LEGAL) cpSync(path.join(root, name), path.join(folder, name));
  bundle(path.join(root, 'gateway'));
}

function clear() {
  for (const name of LEGAL) rmSync(path.join(folder, name), { force: true });
  rmSync(modules, { recursive: true, force: true });
}

/** Copies what the package in `from` depends on, and what that depends on, all beside each other. */
function bundle(from) {
  for (const name of Object.keys(manifest(from).dependencies ?? {})) {
    const source = installed(name, from);
    const target = path.join(modules, name);
    if (!existsSync(target)) {
      copy(source, target);
      bundle(source);
    } else if (manifest(target).version !== manifest(source).version) {
      throw new Error(`two versions of ${name} are installed: they can't be beside each other`);
    }
  }
}

/** Copies a package: one of this workspace as it would be published, any other without what nobody loads. */
function copy(source, target) {
  const { files } = manifest(source);
  const isOurs = !source.includes(`${path.sep}node_modules${path.sep}`);
  const isLoaded = (file) => !NEVER_LOADED.test(path.relative(source, file));
  mkdirSync(target, { recursive: true });
  for (const entry of isOurs ? ['package.json', ...files] : ['.'])
    cpSync(path.join(source, entry), path.join(target, entry), { recursive: true, filter: isLoaded });
}

/** Returns where Node would find the package. */
function installed(name, from) {
  const here = path.join(from, 'node_modules', name);
  if (existsSync(here)) return realpathSync(here);
  if (from === path.dirname(from)) throw new Error(`${name} is not installed`);
  return installed(name, path.dirname(from));
}

function manifest(of) {
  return JSON.parse(readFileSync(path.join(of, 'package.json'), 'utf8'));
}
