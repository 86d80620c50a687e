import { startGateway } from '../topology/gateway-process.js';

/** A gateway to survive on. */
interface Gateway {
  /** `ws:` */
  readonly url: string;
  /** Lines of its log that tell of trouble. */
  complaints(): readonly string[];
  stop(): Promise<void>;
}

interface GatewayPlan {
  readonly transport: 'uws' | 'ws';
  /** Messages that the log must hold. */
  readonly history: number;
  readonly messageBytes: number;
  /** Unsent bytes of a connection before it lags: few, so that a frozen reader gets there. */
  readonly bufferedBytes: number;
}

/** Starts a gateway with a memory broker, in a process of its own that ends with us. */
export async function startOwnGateway(plan: GatewayPlan): Promise<Gateway> {
  const open = { durable: true, subscribe: 'anyone', publish: 'anyone', history: { size: plan.history, ttl: '24h' } };
  const config = {
    mode: 'development',
    host: '127.0.0.1',
    apiKeys: ['survive'],
    transport: plan.transport,
    namespaces: { demo: open },
    limits: {
      messageBytes: plan.messageBytes,
      bufferedBytes: plan.bufferedBytes,
      commandsPerSecond: 0,
      publishesPerSecond: 0,
      bytesPerSecond: 0,
    },
  };
  const gateway = await startGateway({ config, port: 0 });
  return { url: gateway.url, complaints: () => gateway.complaints(), stop: () => gateway.kill() };
}
