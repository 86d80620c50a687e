/** deploy/systemd, by systemd's own words, and by what the gateway does. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { loadConfig } from '../src/config/config.js';
import { placed } from '../src/config/setting.js';
import { SETTINGS } from '../src/config/settings.js';
import { readRepositoryFile } from './support/compose.js';
import { fanfare, startProcess } from './support/program.js';

const PROGRAM = fileURLToPath(new URL('../bin/fanfare.mjs', import.meta.url));
const unit = readRepositoryFile('deploy/systemd/fanfare.service');
const setting = (name: string) => new RegExp(`^${name}=(.*)$`, 'm').exec(unit)?.[1] ?? '';

/** `NAME=value` lines. */
const variables = (text: string) =>
  Object.fromEntries([...text.matchAll(/^(\w+)=(.*)$/gm)].map(([, name, value]) => [name as string, value as string]));
const environmentFile = variables(readRepositoryFile('deploy/systemd/fanfare.env'));
const filled: Readonly<Record<string, string>> = {
  ...environmentFile,
  FANFARE_API_KEYS: 'a-key-for-tests-only',
  FANFARE_JWT_SECRET: 'x'.repeat(32),
};

let folder: string;
let installed: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'fanfare-systemd-'));
  installed = join(folder, 'fanfare.service');
  writeFileSync(installed, unit.replace('ExecStart=fanfare', `ExecStart=${PROGRAM}`));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** systemd is for Linux; elsewhere its own view of the unit is not asked for. */
const onLinux = it.runIf(process.platform === 'linux');

describe('fanfare.service', () => {
  onLinux('is a unit that systemd understands to the last line', () => {
    const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', installed], { encoding: 'utf8' });
    expect([status, stdout + stderr]).toEqual([0, '']);
  });

  onLinux('leaves little of the system within reach', () => {
    const answer = execFileSync('systemd-analyze', ['security', '--offline=true', '--no-pager', installed], {
      encoding: 'utf8',
      env: { ...process.env, SYSTEMD_COLORS: '0' },
    });
    const [, exposure] = /Overall exposure level for fanfare\.service: ([\d.]+)/.exec(answer) ?? [];
    expect(Number(exposure)).toBeLessThan(2);
  });

  it('gives a gateway the time that it takes to stop, and the files that its connections take', () => {
    const { stopDelayMs, timings, limits } = loadConfig({
      argv: [],
      env: { ...filled, FANFARE_MODE: 'production' },
      cwd: '/',
    });
    const seconds = Number(/^(\d+)s$/.exec(setting('TimeoutStopSec'))?.[1]);
    expect(seconds * 1000).toBeGreaterThanOrEqual(stopDelayMs + timings.closeMs + 15_000);
    expect(Number(setting('LimitNOFILE'))).toBeGreaterThan(limits.connections);
    // Workers take their end from the primary.
    expect(setting('KillMode')).toBe('mixed');
  });

  it('names settings that there are', () => {
    const known = new Set(placed(SETTINGS).flatMap((one) => one.variables));
    expect(Object.keys(environmentFile).filter((name) => !known.has(name))).toEqual([]);
  });

  it('is not started again with a configuration that is wrong', async () => {
    const { code } = await fanfare(['serve'], { ...environmentFile, FANFARE_MODE: 'production' });
    expect(String(code)).toBe(setting('RestartPreventExitStatus'));
  });

  it('runs as it says, from the folder and the environment that it names', async () => {
    const home = mkdtempSync(join(folder, 'etc-'));
    writeFileSync(join(home, 'fanfare.config.json'), '{"namespaces":{"chat":{"subscribe":"token"}}}');
    const environment = { ...filled, ...variables(unit.match(/^Environment=(.*)$/m)?.[1] ?? '') };
    const args = setting('ExecStart').split(' ').slice(1);
    const { FANFARE_REDIS_URL: _, ...memory } = environment;
    const { child, output, closed } = await startProcess(
      [process.execPath, PROGRAM, ...args],
      { ...memory, FANFARE_PORT: '0', FANFARE_STOP_DELAY_MS: '0' },
      home,
    );
    onTestFinished(() => void child.kill('SIGKILL'));
    await expect.poll(() => output.stdout, { timeout: 20_000 }).toContain('"msg":"listening"');
    expect(output.stdout).toContain('"mode":"production"');
    child.kill('SIGTERM');
    expect(await closed).toEqual([0, null]);
  });
});
