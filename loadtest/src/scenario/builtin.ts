import type { ScenarioInput } from './scenario.js';

const CONNECT = { duration: 0, publish: false };
const hold = (duration: string) => ({ duration });

/** The scenarios that need no file. Their numbers are for one machine with a gateway of its own. */
export const BUILT_IN: Readonly<Record<string, ScenarioInput>> = {
  fanout: {
    name: 'fanout',
    description: 'one channel, many subscribers',
    groups: { fanout: { connections: 1_000, channels: 1, publish: { rate: 50, size: 256 } } },
  },
  rooms: {
    name: 'rooms',
    description: 'many channels, few subscribers each',
    groups: { rooms: { connections: 1_000, channels: 100, publish: { rate: 500, size: 256 } } },
  },
  users: {
    name: 'users',
    description: 'one channel a client',
    groups: { users: { connections: 1_000, channels: 'own', publish: { rate: 1_000, size: 256 } } },
  },
  idle: {
    name: 'idle',
    description: 'connections that are held, each on its own durable channel, hardly anything published',
    groups: { idle: { connections: 5_000, channels: 'own', publish: { rate: 50, size: 128 } } },
  },
  storm: {
    name: 'storm',
    description: 'all connections are cut, and come back at once',
    stages: [CONNECT, hold('30s')],
    groups: {
      storm: { connections: 2_000, channels: 1, publish: { rate: 10, size: 256 }, storm: { at: 0.3, share: 1 } },
    },
  },
  churn: {
    name: 'churn',
    description: 'connections come and leave all the time',
    groups: {
      churn: { connections: 1_000, channels: 50, publish: { rate: 100, size: 256 }, churn: { perSecond: 0.1 } },
    },
  },
  slow: {
    name: 'slow',
    description: 'a share of the readers is too slow',
    groups: {
      // Kernels hold some 5 MiB of a connection on loopback. With less than that, the gateway would not notice slow
      // readers.
      slow: {
        connections: 100,
        channels: 1,
        publish: { rate: 100, size: { min: 5_000, max: 15_000 } },
        slow: { share: 0.1, stall: '8s', every: '9s' },
      },
    },
  },
  presence: {
    name: 'presence',
    description: 'members come and leave, and hear of each other',
    groups: {
      presence: {
        connections: 1_000,
        channels: 100,
        presence: true,
        publish: { rate: 100, size: 128 },
        churn: { perSecond: 0.05 },
      },
    },
  },
  mixed: {
    name: 'mixed',
    description: 'rooms, a big channel, live readings, comers and goers, in JSON and MessagePack, raw and SDK',
    stages: [{ duration: '5s', publish: true }, hold('20s'), { duration: '5s', load: 0.5 }],
    groups: {
      rooms: {
        connections: 400,
        channels: 40,
        publish: { rate: 100, by: 'http-batch', size: { mean: 400, deviation: 150 } },
      },
      big: { connections: 300, channels: 1, dialect: 'msgpack', publish: { rate: 10, by: 'http', size: 1_000 } },
      live: { connections: 200, channels: 10, durable: false, publish: { rate: 100, size: 128 } },
      sdk: { connections: 50, channels: 5, client: 'sdk', publish: { rate: 20, size: 256 } },
      churn: { connections: 100, channels: 10, publish: { rate: 20, size: 256 }, churn: { perSecond: 0.1 } },
    },
  },
};
