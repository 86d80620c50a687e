import type { Broker } from '../../../src/broker/broker.js';

/** Two gateways' brokers on one log, started. */
export interface BrokerPair {
  readonly broker: Broker;
  readonly second: Broker;
  /** Closes both (they may be closed already) and what they stand on. */
  stop(): Promise<void>;
}

export interface BrokerPairOptions {
  /** How long an idempotency key holds, ms. */
  readonly idempotencyMs: number;
}

export type MakeBrokers = (options: BrokerPairOptions) => Promise<BrokerPair>;
