/** The Redis engine with a deployment of its own, which ends with it. */

import type { Broker } from '../../src/broker/broker.js';
import type { SubscriberTimings } from '../../src/broker/redis/push/options.js';
import { RedisSubscriber as Subscriber } from '../../src/broker/redis/push/subscriber.js';
import { createRedisBroker as create, type RedisBrokerOptions } from '../../src/broker/redis/redis-broker.js';
import type { Clock } from '../../src/clock.js';
import { RedisDeployment, type RedisDeploymentOptions } from '../../src/redis/deployment.js';
import type { RedisLog } from '../../src/redis/log.js';
import { parseRedisUrl, type RedisTarget } from '../../src/redis/url.js';

export interface TestBrokerOptions extends Omit<RedisBrokerOptions, 'deployment' | 'timings'> {
  readonly url: string;
  readonly clock: Clock;
  readonly timings?: RedisBrokerOptions['timings'] & RedisDeploymentOptions['timings'];
}

export function createRedisBroker({ url, clock, timings = {}, ...options }: TestBrokerOptions): Broker {
  const deployment = new RedisDeployment({ target: parseRedisUrl(url), clock, log: options.logger, timings });
  const broker = create({ deployment, timings, ...options });
  return {
    ...broker,
    async close() {
      await broker.close();
      deployment.close();
    },
    async start() {
      try {
        await broker.start();
      } catch (error) {
        deployment.close();
        throw error;
      }
    },
  };
}

export interface TestSubscriberOptions {
  readonly target: RedisTarget;
  readonly clock: Clock;
  readonly timings?: Partial<SubscriberTimings> & RedisDeploymentOptions['timings'];
  readonly log?: RedisLog;
}

export class RedisSubscriber extends Subscriber {
  readonly #deployment: RedisDeployment;

  constructor({ target, clock, timings = {}, log }: TestSubscriberOptions) {
    const deployment = new RedisDeployment({ target, clock, timings });
    super({ deployment, timings, ...(log && { log }) });
    this.#deployment = deployment;
  }

  get topology() {
    return this.#deployment.topology;
  }

  override close(): void {
    super.close();
    this.#deployment.close();
  }
}
