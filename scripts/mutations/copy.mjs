/** Copies of the workspace, into which faults are put. */
import { cpSync, existsSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { PACKAGES, root } from '../workspace.mjs';

/** What is not copied: installed, built, or none of the tests' business. */
const LEFT_OUT = new Set(['node_modules', 'dist', '.git']);

/**
 * Copies the sources and tests; what is installed and built is linked. Suites whose gateways are processes of their own
 * run the build, and notice nothing.
 */
export function copyWorkspace(folder) {
  cpSync(root, folder, { recursive: true, filter: (source) => !LEFT_OUT.has(path.basename(source)) });
  for (const where of ['', ...PACKAGES]) {
    link(where, 'dist', folder);
    const installed = path.join(root, where, 'node_modules');
    if (!existsSync(installed)) continue;
    mkdirSync(path.join(folder, where, 'node_modules'), { recursive: true });
    for (const name of readdirSync(installed)) {
      if (!name.startsWith('.') && name !== '@fanfare') link(path.join(where, 'node_modules'), name, folder);
    }
  }
  // Our own packages are those of the copy.
  const ours = path.join(root, 'node_modules/@fanfare');
  mkdirSync(path.join(folder, 'node_modules/@fanfare'));
  for (const name of readdirSync(ours))
    cpSync(path.join(ours, name), path.join(folder, 'node_modules/@fanfare', name), { verbatimSymlinks: true });
}

function link(where, name, folder) {
  const target = path.join(root, where, name);
  if (existsSync(target)) symlinkSync(target, path.join(folder, where, name));
}
