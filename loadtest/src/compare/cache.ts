import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';

/** What the baselines need. It does not come with this package, but is installed when they are first compared. */
const DEPENDENCIES = {
  'socket.io': '^4.8.1',
  '@socket.io/redis-adapter': '^8.3.0',
  '@socket.io/redis-emitter': '^5.1.0',
  redis: '^5.8.0',
};

/**
 * Returns a folder whose `node_modules` holds the dependencies of the baselines.
 * @throws if npm cannot install them
 */
export function baselineFolder(print: (line: string) => void): string {
  const folder = path.join(process.env.XDG_CACHE_HOME || path.join(homedir(), '.cache'), 'fanfare-load', 'compare');
  if (Object.keys(DEPENDENCIES).every((name) => existsSync(path.join(folder, 'node_modules', name)))) return folder;
  mkdirSync(folder, { recursive: true });
  const manifest = { name: 'fanfare-load-baselines', private: true, type: 'module', dependencies: DEPENDENCIES };
  writeFileSync(path.join(folder, 'package.json'), JSON.stringify(manifest));
  print(`installing ${Object.keys(DEPENDENCIES).join(', ')} into ${folder}`);
  const { status, stderr } = spawnSync('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts'], {
    cwd: folder,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`npm install in ${folder} failed: ${stderr}`);
  return folder;
}
