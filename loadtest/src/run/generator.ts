import { type ChildProcess, fork } from 'node:child_process';
import type { WorkerReply, WorkerRequest } from './plan.js';

/** A generator process, here or on another machine. */
export interface Generator {
  /** The machine on which it runs. */
  readonly host: string;
  /** What has to be added to its clock to get ours, us, and how far off that estimate may be. */
  readonly clock: { readonly offsetUs: number; readonly errorUs: number };
  /** Sends a request. Rejects if the generator fails, or is gone. */
  ask(request: WorkerRequest): Promise<WorkerReply>;
  /** Ends the generator, whatever it is doing. */
  end(): void;
}

const WORKER = new URL('./worker.js', import.meta.url);

/** A generator process on this machine. It ends when this process ends. */
export class LocalGenerator implements Generator {
  readonly host = 'local';
  readonly clock = { offsetUs: 0, errorUs: 0 };
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve(reply: WorkerReply): void; reject(error: Error): void }>();
  #nextId = 1;
  #gone: Error | undefined;

  constructor() {
    this.#child = fork(WORKER, {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      execArgv: [],
    });
    this.#child.on('message', (reply: WorkerReply) => {
      const waiting = this.#waiting.get(reply.id);
      this.#waiting.delete(reply.id);
      if (reply.error === undefined) waiting?.resolve(reply);
      else waiting?.reject(new Error(`a generator failed: ${reply.error}`));
    });
    const onGone = (why: string) => {
      this.#gone = new Error(`a generator process ended: ${why}`);
      for (const { reject } of this.#waiting.values()) reject(this.#gone);
      this.#waiting.clear();
    };
    this.#child.on('error', ({ message }) => onGone(message));
    this.#child.on('exit', (code, signal) => onGone(signal ?? `exit code ${code}`));
  }

  ask(request: WorkerRequest): Promise<WorkerReply> {
    if (this.#gone) return Promise.reject(this.#gone);
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#child.send({ id, request });
    });
  }

  end(): void {
    this.#child.kill('SIGKILL');
  }
}
