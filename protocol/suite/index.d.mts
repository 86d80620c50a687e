/** The gateway under test. */
export interface Target {
  /** Its WebSocket endpoint, `ws://host:port/ws`. */
  readonly url: string;
  /** Its HTTP API, `http://host:port`, and a key for it; without them no case with `needsHttp` can run. */
  readonly http?: string;
  readonly key?: string;
  /** Prefixes of a durable and a live namespace where anyone may subscribe and publish; `demo:`, `live:`. */
  readonly durable?: string;
  readonly live?: string;
  /** Prefix of a namespace that is not configured; `no-such-namespace:`. */
  readonly unknown?: string;
  /** How long an answer may take, ms; 10,000. */
  readonly answerMs?: number;
}

export interface Case {
  readonly name: string;
  /** Waits for timeouts of the gateway: up to 70 s. Others take a few seconds at most. */
  readonly slow: boolean;
  readonly needsHttp: boolean;
  /** Rejects, with what was expected and what came, if the gateway does not keep to the protocol. */
  run(target: Target): Promise<void>;
}

export declare const cases: readonly Case[];
