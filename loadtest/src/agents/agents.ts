import { once } from 'node:events';
import { WebSocket } from 'ws';
import { nowUs } from '../clock.js';
import type { Generator } from '../run/generator.js';
import type { WorkerReply, WorkerRequest } from '../run/plan.js';

/** A request to an agent, as a JSON text frame. Each is answered with its `id`. */
export type AgentRequest =
  | { readonly do: 'clock' }
  /** Starts so many generator processes. */
  | { readonly do: 'start'; readonly count: number }
  | { readonly do: 'ask'; readonly generator: number; readonly request: WorkerRequest };

export interface AgentReply {
  readonly id: number;
  readonly error?: string;
  /** Time of the agent's clock, us. */
  readonly nowUs?: number;
  readonly reply?: WorkerReply;
}

/** How often an agent is asked for the time. The question that was answered fastest counts. */
const CLOCK_QUESTIONS = 30;
const CONNECT_TIMEOUT_MS = 10_000;

/**
 * Connects to agents at `host:port`, asks for the time of their clocks, and starts generators on each. They end with
 * the connection.
 */
export async function connectAgents(addresses: readonly string[], each: number): Promise<Generator[]> {
  const generators = await Promise.all(
    addresses.map(async (address) => {
      const link = await AgentLink.open(address);
      const clock = await link.clock();
      await link.ask({ do: 'start', count: each });
      return Array.from({ length: each }, (_, index): Generator => {
        const ask = async (request: WorkerRequest) => {
          const { reply } = await link.ask({ do: 'ask', generator: index, request });
          return reply as WorkerReply;
        };
        return { host: address, clock, ask, end: () => link.close() };
      });
    }),
  );
  return generators.flat();
}

class AgentLink {
  readonly #socket: WebSocket;
  readonly #address: string;
  readonly #waiting = new Map<number, { resolve(reply: AgentReply): void; reject(error: Error): void }>();
  #nextId = 1;

  private constructor(socket: WebSocket, address: string) {
    this.#socket = socket;
    this.#address = address;
    socket.on('message', (data) => {
      const reply = JSON.parse(String(data)) as AgentReply;
      const waiting = this.#waiting.get(reply.id);
      this.#waiting.delete(reply.id);
      if (reply.error === undefined) waiting?.resolve(reply);
      else waiting?.reject(new Error(`agent ${address}: ${reply.error}`));
    });
    socket.on('error', () => {}); // `close` follows
    socket.on('close', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`agent ${address} is gone`));
      this.#waiting.clear();
    });
  }

  static async open(address: string): Promise<AgentLink> {
    const socket = new WebSocket(`ws://${address}/`, { handshakeTimeout: CONNECT_TIMEOUT_MS, maxPayload: 2 ** 30 });
    try {
      await once(socket, 'open');
    } catch (error) {
      throw new Error(`no agent at ${address} (fanfare-load agent --listen ${address}): ${(error as Error).message}`);
    }
    return new AgentLink(socket, address);
  }

  ask(request: AgentRequest): Promise<AgentReply> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      if (this.#socket.readyState !== WebSocket.OPEN) {
        reject(new Error(`agent ${this.#address} is gone`));
        return;
      }
      this.#waiting.set(id, { resolve, reject });
      this.#socket.send(JSON.stringify({ id, request }));
    });
  }

  /**
   * What has to be added to the clock of the agent to get ours. It comes from the fastest answer, half of whose time is
   * the most that the estimate may be off.
   */
  async clock(): Promise<Generator['clock']> {
    let best = { offsetUs: 0, errorUs: Number.POSITIVE_INFINITY };
    for (let i = 0; i < CLOCK_QUESTIONS; i++) {
      const before = nowUs();
      const { nowUs: theirs = 0 } = await this.ask({ do: 'clock' });
      const after = nowUs();
      const errorUs = (after - before) / 2;
      if (errorUs < best.errorUs) best = { offsetUs: before + errorUs - theirs, errorUs };
    }
    return best;
  }

  close(): void {
    this.#socket.terminate();
  }
}
