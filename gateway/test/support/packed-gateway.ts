/** The gateway as somebody gets it: what `npm pack` makes, installed into an empty folder. */
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, onTestFinished } from 'vitest';
import { startProcess } from './program.js';

const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url));
const PATIENCE = { timeout: 60_000 };

export class PackedGateway {
  readonly #folder: string;
  /** Where it is installed. */
  readonly app: string;
  /** What is in the tarball. */
  files: readonly string[] = [];

  private constructor(folder: string) {
    this.#folder = folder;
    this.app = join(folder, 'app');
  }

  /** @param packages beside it, from a registry; none: there is no registry, and nothing in npm's cache */
  static async install(packages: readonly string[] = []): Promise<PackedGateway> {
    const gateway = new PackedGateway(await mkdtemp(join(tmpdir(), 'fanfare-package-')));
    await gateway.#install(packages);
    return gateway;
  }

  async #install(packages: readonly string[]): Promise<void> {
    // A copy, since other tests run gateways in the folder that is filled for packing.
    const source = join(this.#folder, 'gateway');
    for (const name of ['bin', 'dist', 'package.json', 'README.md'])
      await cp(join(REPOSITORY, 'gateway', name), join(source, name), { recursive: true });
    await symlink(join(REPOSITORY, 'scripts'), join(this.#folder, 'scripts'));
    await mkdir(this.app);
    const packed = JSON.parse(await npm(source, 'pack', '--json')) as [{ filename: string; files: { path: string }[] }];
    this.files = packed[0].files.map(({ path }) => path);
    const alone = ['--offline', '--cache', join(this.#folder, 'cache')];
    const flags = packages.length === 0 ? alone : ['--prefer-offline', ...packages];
    await npm(this.app, 'install', join(source, packed[0].filename), ...flags);
  }

  /** Starts the installed program. @param node the one that runs it, in the folder; default: that of this process */
  start(args: readonly string[], env: Readonly<Record<string, string>> = {}, node?: string) {
    const program = join(this.app, 'node_modules/.bin/fanfare');
    const command = node === undefined ? [program] : [join(this.app, node), program];
    return startProcess([...command, ...args], { PATH: process.env.PATH ?? '', ...env }, this.app);
  }

  /** Runs it to its end. */
  async run(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const { output, closed } = await this.start(args, env);
    const [code] = await closed;
    return { code, ...output };
  }

  /** Serves until the test is over. */
  async serve(env: Readonly<Record<string, string>>, node?: string) {
    const { output, child, closed } = await this.start(['serve'], { FANFARE_PORT: '0', ...env }, node);
    onTestFinished(async () => {
      child.kill('SIGTERM');
      await closed;
    });
    const url = () => /^.*listening.*url=(\S+)(?: workers=| healthPort=| mode=)/m.exec(output.stdout)?.[1];
    await expect.poll(() => url() ?? output.stdout + output.stderr, PATIENCE).toMatch(/^http:\S+$/);
    return { url: url() as string, output };
  }

  remove(): Promise<void> {
    return rm(this.#folder, { recursive: true });
  }
}

async function npm(cwd: string, ...args: readonly string[]): Promise<string> {
  // What `npm test` says to programs beneath it would be heard here.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)));
  return (await promisify(execFile)('npm', [...args, '--no-audit', '--no-fund'], { cwd, env })).stdout;
}
