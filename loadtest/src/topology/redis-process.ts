import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';

/** One real server process on loopback, with a private folder. */
export interface RedisNode {
  readonly port: number;
  readonly url: string;
  readonly dir: string;
  /** Id of the process that runs now. It changes with `restart`. */
  readonly pid: number;
  /** An admin connection that comes back by itself; commands on it time out after 10 s. */
  readonly client: Redis;
  /** Kills the process at once, so that what it had not written is lost. Resolves when it is gone. */
  kill9(): Promise<void>;
  /** Freezes the process: its sockets stay open, and nothing is answered. */
  pause(): void;
  resume(): void;
  /** Starts the server again on the same port and folder. If it still runs, it is ended by kill -9 first. */
  restart(): Promise<void>;
  /** The end of the server's log. */
  logTail(): Promise<string>;
  /** Ends the process and removes its folder. */
  stop(): Promise<void>;
}

export interface ProcessOptions {
  readonly program: 'redis-server' | 'redis-sentinel';
  /** Makes the arguments of the command line. It is called again with another port if the first one is taken. */
  readonly args: (port: number, dir: string) => Promise<string[]> | string[];
}

const START_ATTEMPTS = 5;
const READY_TIMEOUT_MS = 60_000;

/**
 * The first of the ports that are tried. They are below the range from which systems take the local ports of outgoing
 * connections.
 */
const FIRST_PORT = 10_000;
const LAST_PORT = 22_000;
const BUS_DISTANCE = 10_000;

/** A random free port whose cluster bus port is free too. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT));
    if ((await isFree(port)) && (await isFree(port + BUS_DISTANCE))) return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const free = await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => resolve(true));
  });
  if (free) await new Promise((resolve) => server.close(resolve));
  return free;
}

/** Starts a process and waits until it serves. */
export async function startNode(options: ProcessOptions): Promise<RedisNode> {
  const dir = await mkdtemp(join(tmpdir(), 'fanfare-redis-'));
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    const node = new NodeProcess(options, port, dir);
    try {
      await node.start();
      return node;
    } catch (error) {
      const tail = await node.logTail();
      if (!/Address already in use|Failed listening/.test(tail) || attempt === START_ATTEMPTS) {
        await node.stop();
        throw error;
      }
      node.client.disconnect();
    }
  }
}

class NodeProcess implements RedisNode {
  readonly url: string;
  readonly client: Redis;
  #process: ChildProcess | undefined;

  constructor(
    private readonly options: ProcessOptions,
    readonly port: number,
    readonly dir: string,
  ) {
    this.url = `redis://127.0.0.1:${port}`;
    this.client = new Redis({
      port,
      host: '127.0.0.1',
      lazyConnect: true,
      commandTimeout: 10_000,
      retryStrategy: () => 50,
      maxRetriesPerRequest: null,
      enableReadyCheck: options.program === 'redis-server',
    });
    this.client.on('error', () => {}); // it connects again; the command that failed tells its caller
  }

  get pid(): number {
    if (this.#process?.pid === undefined) throw new Error(`the server on port ${this.port} does not run`);
    return this.#process.pid;
  }

  async start(): Promise<void> {
    const args = await this.options.args(this.port, this.dir);
    // The process is in a group of its own, because a Ctrl-C at a terminal is for this process only.
    const child = spawn(this.options.program, args, { stdio: 'ignore', detached: true });
    child.unref();
    const failed = new Promise<never>((_, reject) => {
      child.once('error', () =>
        reject(
          new Error(`${this.options.program} is missing; install it: apt-get install redis-server redis-sentinel`),
        ),
      );
      child.once('exit', async (code) => reject(new Error(`exit ${code} at start:\n${await this.logTail()}`)));
    });
    failed.catch(() => {});
    if (child.pid !== undefined) {
      this.#process = child;
      const pid = child.pid;
      guard('+', pid);
      child.once('exit', () => {
        guard('-', pid);
        if (this.#process === child) this.#process = undefined;
      });
    }
    if (this.client.status === 'wait') this.client.connect().catch(() => {});
    await Promise.race([this.#ready(), failed]);
  }

  async #ready(): Promise<void> {
    const deadline = Date.now() + READY_TIMEOUT_MS;
    while (this.client.status !== 'ready' || !(await this.#answers())) {
      if (Date.now() > deadline) throw new Error(`not ready after ${READY_TIMEOUT_MS} ms:\n${await this.logTail()}`);
      await delay(10);
    }
  }

  async #answers(): Promise<boolean> {
    return this.client.ping().then(
      () => true,
      () => false,
    );
  }

  async kill9(): Promise<void> {
    const child = this.#process;
    if (!child) return;
    // Perhaps nothing else keeps this process alive until the child is gone.
    child.ref();
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  pause(): void {
    process.kill(this.pid, 'SIGSTOP');
  }

  resume(): void {
    process.kill(this.pid, 'SIGCONT');
  }

  async restart(): Promise<void> {
    await this.kill9();
    await this.start();
  }

  async logTail(): Promise<string> {
    const text = await readFile(join(this.dir, 'server.log'), 'utf8').catch(() => '');
    return text.split('\n').slice(-15).join('\n');
  }

  async stop(): Promise<void> {
    this.client.disconnect();
    await this.kill9();
    await rm(this.dir, { recursive: true, force: true });
  }
}

/**
 * A script that kills the servers that still run when this process ends, however it ends: the standard input of the
 * script closes then.
 */
const GUARD = `
pids=" "
while read -r op pid; do
  case $op in
    +) pids="$pids$pid " ;;
    -) pids=$(echo "$pids" | sed "s/ $pid / /") ;;
  esac
done
for pid in $pids; do kill -9 "$pid"; done`;

let guardProcess: ChildProcess | undefined;

function guard(op: '+' | '-', pid: number): void {
  if (!guardProcess) {
    guardProcess = spawn('sh', ['-c', GUARD], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
    guardProcess.unref();
    const pipe = guardProcess.stdin as unknown as { unref(): void };
    pipe.unref();
  }
  guardProcess.stdin?.write(`${op} ${pid}\n`);
}
