/** The programs that the tests start besides Node. They are found in the path, or installed if we may do that. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fail, run } from './workspace.mjs';

/** Each program, and the Debian package that has it. */
const PROGRAMS = [
  ['redis-server', 'redis-server'],
  ['redis-sentinel', 'redis-sentinel'],
  ['redis-cli', 'redis-tools'],
  ['chromium', 'chromium'],
  ['haproxy', 'haproxy'],
  ['nginx', 'nginx'],
  ['caddy', 'caddy'],
  ['openssl', 'openssl'],
  ['python3', 'python3'],
  // Other platforms have no systemd, and its test says so.
  ...(process.platform === 'linux' ? [['systemd-analyze', 'systemd']] : []),
];

/** The program that Debian asks before a package starts its service; exit code 101 forbids it (invoke-rc.d(8)). */
const START_POLICY = '/usr/sbin/policy-rc.d';

/** @param {[string, string][]} further programs beside those of `npm test`, each with its Debian package */
export async function ensureTestPrograms(further = []) {
  const missing = [...PROGRAMS, ...further].filter(([program]) => !isInPath(program)).map(([, name]) => name);
  if (!hasPython('jwt')) missing.push('python3-jwt');
  if (!hasPython('websockets')) missing.push('python3-websockets');
  if (missing.length === 0) return;
  const list = missing.join(' ');
  if (process.getuid?.() !== 0 || !isInPath('apt-get')) {
    fail(`the tests need ${list}: sudo apt-get install ${list} (or your system's packages of them), then try again`);
  }
  process.stderr.write(`installing ${list} (apt-get)\n`);
  await withoutServiceStart(async () => {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    const steps = [['update'], ['install', '-y', '--no-install-recommends', ...missing]];
    for (const step of steps) {
      if ((await run('apt-get', step, { quiet: true, env })) !== 0) fail(`apt-get ${step[0]} failed, see above`);
    }
  });
}

/**
 * Returns whether the Python in the path or that of the system has the module. Debian's packages are for the latter.
 */
function hasPython(module) {
  return ['python3', '/usr/bin/python3'].some((python) => spawnSync(python, ['-c', `import ${module}`]).status === 0);
}

/**
 * Returns whether a program can be found. Debian keeps servers where only root's path has them, so the tests look there
 * too.
 */
function isInPath(program) {
  return [...(process.env.PATH ?? '').split(path.delimiter), '/usr/sbin'].some((folder) => {
    try {
      accessSync(path.join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/**
 * Runs an action while packages may not start services. They would start servers on well-known ports, and tests bring
 * their own.
 */
async function withoutServiceStart(action) {
  const isOurs = !existsSync(START_POLICY);
  if (isOurs) writeFileSync(START_POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    await action();
  } finally {
    if (isOurs) rmSync(START_POLICY);
  }
}
