import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Core of the server under test, and of Redis where it is in the path. */
const SERVER_CORE = 0;
/** Core of this process, with subscribers and publisher. */
export const CLIENT_CORE = 1;

/** Ticks a second of the times in /proc (`getconf CLK_TCK`; 100 on every Linux of today). */
const TICKS_PER_SECOND = 100;
const START_DEADLINE_MS = 15_000;

/** Keeps all threads of this process on the client's core; `false` if the system cannot. */
export function pinSelf(): boolean {
  return pin(process.pid, CLIENT_CORE);
}

/** Keeps all threads of a process that runs already on the server's core. */
export function pinToServerCore(pid: number): boolean {
  return pin(pid, SERVER_CORE);
}

function pin(pid: number, core: number): boolean {
  return spawnSync('taskset', ['-a', '-cp', String(core), String(pid)]).status === 0;
}

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

interface ServerProcessOptions {
  /** Environment variables, besides those of this process. */
  readonly env?: NodeJS.ProcessEnv;
  /** The core on which the process runs. Default {@link SERVER_CORE}. */
  readonly core?: number | undefined;
}

/** A child process that is pinned to the core of servers, and is killed when this process ends. */
export class ServerProcess {
  readonly pid: number;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.pid = child.pid as number;
  }

  /**
   * Starts a program and waits for a line of its output that `ready` matches. Resolves with the process and that match.
   * Rejects with the output if the program ends or stays silent.
   */
  static async start(
    program: string,
    args: readonly string[],
    ready: RegExp,
    { env = {}, core = SERVER_CORE }: ServerProcessOptions = {},
  ): Promise<{ server: ServerProcess; match: RegExpExecArray }> {
    const child = spawn('taskset', ['-c', String(core), program, ...args], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      // A Ctrl-C at a terminal is for us: the server is needed until what is under way is told.
      detached: true,
    });
    running.add(child);
    child.once('exit', () => running.delete(child));
    let output = '';
    let match: RegExpExecArray | null = null;
    const collect = (chunk: Buffer) => {
      if (match) return;
      output += chunk.toString();
      match = ready.exec(output);
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    const deadline = Date.now() + START_DEADLINE_MS;
    while (!match && child.exitCode === null && Date.now() < deadline) await sleep(10);
    if (!match) {
      child.kill('SIGKILL');
      throw new Error(`${program} ${args.join(' ')} did not start:\n${output}`);
    }
    return { server: new ServerProcess(child), match };
  }

  /** CPU time that the process and its workers have used so far, ms. */
  cpuMs(): number {
    return [this.pid, ...childrenOf(this.pid)].reduce((total, pid) => total + cpuMsOf(pid), 0);
  }

  /** Resident memory of the process, bytes. */
  residentBytes(): number {
    return residentBytesOf(this.pid);
  }

  /** Asks for a garbage collection (the program must do so at SIGUSR2) and gives it time. */
  async collectGarbage(): Promise<void> {
    for (let i = 0; i < 3; i++) {
      process.kill(this.pid, 'SIGUSR2');
      await sleep(300);
    }
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGKILL');
    await once(this.#child, 'exit');
  }
}

function childrenOf(pid: number): number[] {
  const list = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim();
  return list === '' ? [] : list.split(' ').map(Number);
}

/** CPU time that a process has used so far, ms. */
export function cpuMsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? [];
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
}

/** Resident memory of a process, bytes. */
export function residentBytesOf(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
  return Number(match?.[1]) * 1024;
}
