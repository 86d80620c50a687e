import { Worker } from 'node:worker_threads';
import type { Stats } from '@fanfare/client';
import type { Balance } from './ledger.js';
import type { TroublePlan } from './trouble.js';

/** What a thread of clients is told at its start. */
export interface CrowdPlan {
  /** Of the gateway, `ws:`. */
  readonly url: string;
  readonly channel: string;
  readonly clients: number;
  /** Most messages of the run. */
  readonly capacity: number;
  /** Mean length of their fillers. */
  readonly meanBytes: number;
  readonly trouble: TroublePlan;
}

/** Requests to the thread of `crowd.worker.ts`; each is answered when it is done. */
export type CrowdRequest =
  /** All clients subscribe to the channel. */
  | { readonly do: 'subscribe' }
  | { readonly do: 'make trouble' }
  /** Trouble ends; answered once all have caught up, or nothing has come for a while. Offsets by message, 0: not acknowledged. */
  | { readonly do: 'finish'; readonly acknowledged: Uint32Array };

export interface CrowdAnswer {
  readonly error?: string;
  readonly outcome?: CrowdOutcome;
}

/** What the clients of a thread went through. */
export interface CrowdOutcome {
  readonly balance: Balance;
  /** Summed over the clients. */
  readonly stats: Stats;
  readonly cuts: number;
  readonly freezes: number;
  /** Errors that clients were told, by text. */
  readonly errors: ReadonlyMap<string, number>;
}

/** SDK clients in a thread of their own. */
export class Crowd {
  readonly #thread: Worker;
  readonly #failed: Promise<never>;

  constructor(plan: CrowdPlan) {
    this.#thread = new Worker(new URL('./crowd.worker.js', import.meta.url), { workerData: plan });
    this.#failed = new Promise((_, reject) => {
      this.#thread.once('error', reject);
      this.#thread.once('exit', (code) => reject(new Error(`a thread of clients ended (${code})`)));
    });
    this.#failed.catch(() => {});
  }

  async subscribe(): Promise<void> {
    await this.#ask({ do: 'subscribe' });
  }

  async makeTrouble(): Promise<void> {
    await this.#ask({ do: 'make trouble' });
  }

  async finish(acknowledged: Uint32Array): Promise<CrowdOutcome> {
    const { outcome } = await this.#ask({ do: 'finish', acknowledged });
    return outcome as CrowdOutcome;
  }

  async close(): Promise<void> {
    await this.#thread.terminate();
  }

  async #ask(request: CrowdRequest): Promise<CrowdAnswer> {
    const answered = new Promise<CrowdAnswer>((resolve) => this.#thread.once('message', resolve));
    this.#thread.postMessage(request);
    const answer = await Promise.race([answered, this.#failed]);
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer;
  }
}
