/**
 * What programs in Node go through, over both transports of real gateways: each scenario by a reader process with a client
 * of each dialect, whose books are compared with the log in the end. FANFARE_TEST_NODE is the path of another Node to run
 * the readers on; `npm run test:install` does so with Node 22 and 24.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GatewayProcess } from '../../gateway/test/support/gateway-process.js';
import { type StandaloneServers, startRedis, until } from '../../gateway/test/support/redis-servers.js';
import { startTcpProxy, type TcpProxy } from '../../gateway/test/support/tcp-proxy.js';
import { type Account, accountOf, EXACT, type Line } from './scenarios/books.js';
import { inRandomOrder, RANDOM_MS, SEED } from './scenarios/in-random-order.js';
import { type ReaderOptions, Run, type Stage, startGateway, type Transport, wsUrl } from './scenarios/run.js';

const TRANSPORTS = ['uws', 'ws'] as const;

/** With the embedded broker, where no gateway ends. */
const shared = new Map<Transport, GatewayProcess>();
let redis: StandaloneServers;

beforeAll(async () => {
  redis = await startRedis();
  await Promise.all(
    TRANSPORTS.map(async (transport) => shared.set(transport, await startGateway({ TRANSPORT: transport }))),
  );
});
afterAll(async () => {
  await Promise.all([...shared.values()].map((gateway) => gateway.stop()));
  await redis?.stop();
});

interface Scenario {
  readonly name: string;
  /** Each client of its reader has this account. */
  readonly account: Account;
  /** How many connections its proxy has accepted in the end. */
  readonly connections?: number;
  /** Plays it up to its end, which is the same for all: messages flow again, and all of them are read. */
  readonly play: (stage: Stage) => Promise<Run>;
}

const isDown = (line: Line) => line.kind === 'state' && line.state === 'waiting';
const isUp = (line: Line) => line.kind === 'state' && line.state === 'connected';

/** The longest come first. */
const SCENARIOS: readonly Scenario[] = [
  {
    name: 'a network that stays dark until the ping time-out, for new connections too',
    account: EXACT,
    async play({ gateway, proxy, run }) {
      const wire = await proxy(gateway.port);
      // A client that asks for nothing finds out by the pings alone.
      const reading = await flowing(run(), { url: wsUrl(wire.port), publishes: false, connectTimeoutMs: 2_000 }, 20);
      wire.goDark('all');
      await reading.writes(
        'the silence is noticed',
        (line) => isDown(line) && 'reason' in line && /silence/.test(line.reason ?? ''),
      );
      await reading.writes('it is tried in vain', (line) => isDown(line));
      wire.comeBack();
      return reading;
    },
  },
  {
    name: 'more into a process that is stopped than buffers hold: it is taken off its channels, and catches up',
    account: EXACT,
    async play({ gateway, run }) {
      const reading = await flowing(run(), { url: gateway.wsUrl, publishes: false }, 1_000, 5_000);
      reading.signal('SIGSTOP');
      // 20 MB; sockets on one machine hold some 10.
      const enough = reading.stored + 4_000;
      await until('enough is published', () => reading.stored >= enough, 180_000);
      reading.signal('SIGCONT');
      await reading.writes('they lagged', ({ kind }) => kind === 'lagged');
      return reading;
    },
  },
  {
    name: `all of it in random order (seed ${SEED})`,
    account: EXACT,
    play: inRandomOrder,
  },
  {
    name: 'a connection that stays dark: a publish shows it, and is stored once',
    account: EXACT,
    connections: 6,
    async play({ gateway, proxy, run }) {
      const wire = await proxy(gateway.port);
      const reading = await flowing(run(), { url: wsUrl(wire.port) }, 50);
      wire.goDark();
      await reading.writes('the silence is noticed', isDown);
      return reading;
    },
  },
  {
    name: 'a network that goes dark and comes back: the connections go on',
    account: EXACT,
    connections: 3,
    async play({ gateway, proxy, run }) {
      const wire = await proxy(gateway.port);
      const reading = await flowing(run(), { url: wsUrl(wire.port) }, 50);
      wire.goDark('all');
      await delay(2_000);
      wire.comeBack();
      return reading;
    },
  },
  {
    name: 'a new process, twice, each going on behind the last line of the one that was killed',
    account: EXACT,
    async play({ gateway, run }) {
      const reading = await run();
      reading.feed(200);
      for (let round = 0; round < 3; round++) {
        await reading.read({ url: gateway.wsUrl, publishes: false });
        await reading.flows(50);
        if (round < 2) await reading.end('SIGKILL');
      }
      return reading;
    },
  },
  {
    name: 'a new process under the same name, where the one before ended in good order',
    account: EXACT,
    async play({ gateway, run }) {
      const reading = await run();
      reading.feed(200);
      for (let round = 0; round < 3; round++) {
        await reading.read({ url: gateway.wsUrl, publishes: false, named: true });
        await reading.flows(50);
        if (round < 2) await reading.end('SIGTERM');
      }
      return reading;
    },
  },
  {
    name: 'a token that expires while the event loop stands still',
    account: EXACT,
    play: (stage) =>
      whileAway(
        stage,
        (reading) => reading.signal('SIGUSR2'),
        () => {},
      ),
  },
  {
    name: 'a token that expires while the process is stopped',
    account: EXACT,
    play: (stage) =>
      whileAway(
        stage,
        (reading) => reading.signal('SIGSTOP'),
        (reading) => reading.signal('SIGCONT'),
      ),
  },
  {
    name: 'a gateway that is killed and started again, over Redis: nothing is lost',
    account: EXACT,
    async play({ transport, start, run }) {
      const settings = { TRANSPORT: transport, REDIS_URL: redis.url };
      const gateway = await start(settings);
      const reading = await flowing(run([gateway]), { url: gateway.wsUrl }, 200);
      await gateway.signal('SIGKILL');
      await reading.writes('it is noticed', isDown);
      await start(settings, gateway.port);
      return reading;
    },
  },
  {
    name: 'a gateway that is killed and started again, with its log in memory: readers are told',
    account: { ...EXACT, resets: ['unrecoverable'] },
    async play({ transport, start, run }) {
      const settings = { TRANSPORT: transport };
      const gateway = await start(settings);
      const reading = await flowing(run([gateway]), { url: gateway.wsUrl, publishes: false }, 200);
      await reading.rest();
      await reading.keepLog();
      const before = reading.counts();
      await gateway.signal('SIGKILL');
      reading.feed(200);
      await reading.writes('it is noticed', isDown, before);
      await start(settings, gateway.port);
      return reading;
    },
  },
  {
    name: 'a gateway that drains: its clients go on at another one',
    account: EXACT,
    connections: 6,
    async play({ transport, start, proxy, run }) {
      const settings = { TRANSPORT: transport, REDIS_URL: redis.url, DRAIN_MS: '1s' };
      const [first, second] = await Promise.all([start(settings), start(settings)]);
      const wire = await proxy(first.port);
      const reading = await flowing(run([first, second]), { url: wsUrl(wire.port) }, 200);
      reading.use(second);
      wire.redirect(second.port);
      await first.signal('SIGTERM');
      expect(await first.exited).toEqual([0, null]);
      return reading;
    },
  },
  {
    name: '2,000 messages a second into a process that blocks for 3 s',
    account: EXACT,
    async play({ gateway, run }) {
      const reading = await flowing(run(), { url: gateway.wsUrl, publishes: false, stallMs: 3_000 }, 2_000);
      reading.signal('SIGUSR2');
      await delay(3_500);
      return reading;
    },
  },
];

/** Begins a run whose reader is given what the backend publishes from now on. */
async function flowing(opening: Promise<Run>, options: ReaderOptions, perSecond: number, padBytes = 0): Promise<Run> {
  const reading = await opening;
  await reading.read(options);
  reading.feed(perSecond, padBytes);
  await reading.flows();
  return reading;
}

/** The reader stands still for longer than its tokens hold, and then goes on with new ones. */
async function whileAway(
  { gateway, transport, run }: Stage,
  leave: (reading: Run) => void,
  comeBack: (reading: Run) => void,
): Promise<Run> {
  const reading = await run();
  const user = `${reading.channel}-${transport}`;
  await reading.read({ url: gateway.wsUrl, user, stallMs: 8_000 });
  reading.feed(50);
  await reading.flows();
  const before = reading.counts();
  leave(reading);
  await until('the gateway ends the connections', async () => (await reading.connectionsOf(user)) === 0);
  comeBack(reading);
  await reading.writes('it is connected again', isUp, before);
  return reading;
}

async function perform({ play, account, connections }: Scenario, transport: Transport, channel: string): Promise<void> {
  const closing: (() => unknown)[] = [];
  const opened = async <T>(opening: Promise<T>, close: (thing: T) => unknown): Promise<T> => {
    const thing = await opening;
    closing.push(() => close(thing));
    return thing;
  };
  const gateway = shared.get(transport) as GatewayProcess;
  try {
    const wires: TcpProxy[] = [];
    const reading = await play({
      transport,
      gateway,
      start: (settings = {}, port = 0) => opened(startGateway(settings, port), (gateway) => gateway.stop()),
      startRedis: (options) => opened(startRedis(options), (servers) => servers.stop()),
      proxy: async (port) => {
        const wire = await opened(startTcpProxy(port), (proxy) => proxy.close());
        wires.push(wire);
        return wire;
      },
      run: (gateways = [gateway]) => opened(Run.open(channel, gateways), (run) => run.close()),
    });
    await reading.flows();
    await reading.settle();
    if (connections !== undefined) expect(wires.map(({ accepted }) => accepted)).toEqual([connections]);
    expect(await reading.accounts()).toEqual({ json: account, compact: account, msgpack: account });
  } finally {
    for (const close of closing.reverse()) await close();
  }
}

describe.concurrent('programs in Node lose nothing', { timeout: 400_000 + RANDOM_MS }, () => {
  for (const [nth, scenario] of SCENARIOS.entries()) {
    for (const transport of TRANSPORTS)
      it(`${scenario.name} (${transport})`, () => perform(scenario, transport, `s:${transport}-${nth}`));
  }
});

it('books that do not agree with the log are seen', () => {
  const log = [1, 2, 3, 4].map((n) => ({ epoch: '7', offset: n, by: 'a', n }));
  const given = (...offsets: number[]): Line[] => [
    { kind: 'start', epoch: '7', offset: 1 },
    ...offsets.map((n): Line => ({ kind: 'message', epoch: '7', offset: n, by: 'a', n })),
  ];
  const entry = (n: number) => ({ epoch: '7', offset: 4, by: 'a', n });
  expect(accountOf(given(2, 3, 4), log)).toEqual(EXACT);
  expect(accountOf(given(2, 4), log)).toEqual({ ...EXACT, lost: 1 });
  expect(accountOf(given(2, 3, 3, 4), log)).toEqual({ ...EXACT, duplicated: 1 });
  expect(accountOf(given(2, 4, 3), log)).toEqual({ ...EXACT, reordered: 1 });
  expect(accountOf([...given(2, 3), { kind: 'message', ...entry(5) }], log)).toEqual({ ...EXACT, wrong: 1 });
  expect(accountOf([...given(2, 3, 4), { kind: 'published', ...entry(9) }], log)).toEqual({ ...EXACT, misstored: 1 });
  const told: Line = { kind: 'reset', reason: 'expired', epoch: '7', offset: 3 };
  expect(accountOf([...given(), told, ...given(4).slice(1)], log)).toEqual({ ...EXACT, lost: 2, resets: ['expired'] });
});
