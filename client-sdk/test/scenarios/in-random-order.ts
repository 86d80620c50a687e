import { randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { killClients } from '../../../gateway/test/faults/redis-faults.js';
import type { GatewayProcess } from '../../../gateway/test/support/gateway-process.js';
import { seededRandom } from '../../../loadtest/src/random.js';
import { type Run, type Stage, wsUrl } from './run.js';

/** Decides what happens in which order; how long each takes is up to the machine. */
export const SEED = Number(process.env.FANFARE_TEST_SEED ?? randomInt(1, 1_000_000));
/** `npm run test:faults` goes on for longer. */
export const RANDOM_MS = process.env.FANFARE_TEST_FAULTS === 'long' ? 120_000 : 12_000;

/** A reader behind a wire to two gateways over one Redis, while any of them, and the reader, go through all kinds of things. */
export async function inRandomOrder({ transport, start, startRedis, proxy, run }: Stage): Promise<Run> {
  const { url, node } = await startRedis({ appendonly: true, config: { appendfsync: 'always' } });
  const settings = { TRANSPORT: transport, REDIS_URL: url, DRAIN_MS: '500' };
  const gateways = await Promise.all([start(settings), start(settings)]);
  let [home, other] = gateways as [GatewayProcess, GatewayProcess];
  const wire = await proxy(home.port);
  const reading = await run(gateways);
  const options = { url: wsUrl(wire.port), stallMs: 1_000, connectTimeoutMs: 1_000 };
  await reading.read(options);
  reading.feed(200);
  const random = seededRandom(SEED);
  const aWhile = () => delay(random() * 2_000);
  const move = () => {
    [home, other] = [other, home];
    wire.redirect(home.port);
  };
  /** Ends the gateway that clients are at; they find another one in its place, and later it is back. */
  const end = async (signal: 'SIGKILL' | 'SIGTERM') => {
    const ended = home;
    move();
    await ended.signal(signal);
    await ended.exited;
    await aWhile();
    other = await start(settings, ended.port);
  };
  const happenings = [
    () => end('SIGKILL'),
    () => end('SIGTERM'),
    async () => move(),
    async () => {
      wire.goDark('all');
      await aWhile();
      wire.comeBack();
    },
    async () => wire.goDark(),
    async () => {
      wire.block();
      await aWhile();
      wire.open();
    },
    async () => {
      home.signal('SIGSTOP');
      await aWhile();
      home.signal('SIGCONT');
    },
    async () => {
      reading.signal('SIGSTOP');
      await aWhile();
      reading.signal('SIGCONT');
    },
    async () => reading.signal('SIGUSR2'),
    () => node.restart(),
    async () => void (await killClients(node, () => true)),
    async () => {
      node.pause();
      await aWhile();
      node.resume();
    },
    async () => {
      await reading.end('SIGKILL');
      await aWhile();
      await reading.read(options);
    },
  ];
  for (const until = Date.now() + RANDOM_MS; Date.now() < until; ) {
    const happens = happenings[Math.floor(random() * happenings.length)] as () => Promise<void>;
    await happens();
    await delay(random() * 500);
  }
  reading.use(home);
  return reading;
}
