import type { Worker } from 'node:cluster';
import { EventEmitter } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../test/support/manual-clock.js';
import type { FromPrimary, FromWorker } from './messages.js';
import { WorkerHandle } from './worker-handle.js';

const TIMINGS = { startMs: 10_000, silenceMs: 5_000, collectMs: 1_000 };

/** A handle, and the worker's end of the channel between the two. */
function setUp() {
  const clock = new ManualClock(0);
  const told: FromPrimary[] = [];
  const kills: number[] = [];
  const asked: number[] = [];
  const worker = Object.assign(new EventEmitter(), {
    process: { pid: 7 as number | undefined, kill: () => void kills.push(clock.now()) },
    isConnected: (): boolean => true,
    send: (message: FromPrimary) => void told.push(message),
  });
  const handle = new WorkerHandle(worker as unknown as Worker, clock, TIMINGS, (id) => asked.push(id));
  const say = (message: FromWorker) => worker.emit('message', message);
  const pings = () => told.filter(({ type }) => type === 'ping').length;
  return { clock, told, kills, asked, worker, handle, say, pings };
}

describe('a worker that starts', () => {
  it('is ready when it says so', async () => {
    const { handle, say } = setUp();
    say({ type: 'ready' });
    await handle.ready;
    expect(handle.isReady).toBe(true);
  });

  it('is killed if it says nothing in time, and left in peace once it says that it has to wait', async () => {
    const silent = setUp();
    silent.clock.advance(TIMINGS.startMs);
    expect(silent.kills).toEqual([TIMINGS.startMs]);
    const waiting = setUp();
    waiting.say({ type: 'waiting' });
    for (let n = 0; n < 100; n++) {
      waiting.clock.advance(1_000);
      waiting.say({ type: 'pong' });
    }
    expect([waiting.kills, waiting.handle.isReady]).toEqual([[], false]);
  });

  it('that ends before is told with the reason, by code or by signal', async () => {
    const [byCode, bySignal] = [setUp(), setUp()];
    byCode.worker.emit('exit', 3, null);
    await expect(byCode.handle.ready).rejects.toThrow('exit code 3');
    expect(await byCode.handle.ended).toEqual({ code: 3, signal: null });
    bySignal.worker.emit('exit', null, 'SIGKILL');
    await expect(bySignal.handle.ready).rejects.toThrow('SIGKILL');
    // Nobody is there to be asked or killed any more.
    bySignal.clock.advance(60_000);
    expect([bySignal.kills, bySignal.pings(), bySignal.clock.timers]).toEqual([[], 0, 0]);
  });

  it('that could not be started at all has ended; a channel that broke alone has not', async () => {
    const [unborn, alive] = [setUp(), setUp()];
    unborn.worker.process.pid = undefined;
    unborn.worker.emit('error', new Error('spawn EAGAIN'));
    expect(await unborn.handle.ended).toEqual({ code: null, signal: null });
    let isEnded = false;
    void alive.handle.ended.then(() => {
      isEnded = true;
    });
    alive.worker.emit('error', new Error('EPIPE'));
    await nextTurn();
    expect(isEnded).toBe(false);
  });
});

describe('a worker that serves', () => {
  it('is asked whether it hangs, and stays for as long as it answers', () => {
    const { clock, say, kills, pings } = setUp();
    say({ type: 'ready' });
    for (let n = 0; n < 50; n++) {
      clock.advance(1_000);
      say({ type: 'pong' });
    }
    expect([kills, pings()]).toEqual([[], 51]);
  });

  it('is killed when it has not answered for so long, and not before', () => {
    const { clock, say, kills } = setUp();
    say({ type: 'ready' });
    clock.advance(TIMINGS.silenceMs - 1);
    expect(kills).toEqual([]);
    // Anything that it says will do.
    say({ type: 'metrics?', id: 1 });
    clock.advance(TIMINGS.silenceMs - 1);
    expect(kills).toEqual([]);
    clock.advance(1_001);
    expect(kills).toHaveLength(1);
  });

  it('is not accused by a primary that stood still itself: pings are counted, not time', () => {
    const { clock, say, kills } = setUp();
    say({ type: 'ready' });
    clock.advance(1_000);
    clock.set(clock.now() + 3_600_000);
    clock.advance(1);
    expect(kills).toEqual([]);
    say({ type: 'pong' });
    clock.advance(TIMINGS.silenceMs - 1);
    expect(kills).toEqual([]);
  });

  it('may ask for the metrics of all', () => {
    const { say, asked } = setUp();
    say({ type: 'metrics?', id: 5 });
    expect(asked).toEqual([5]);
  });
});

describe('metrics of a worker', () => {
  it('are those that answer this question', async () => {
    const { handle, say, told } = setUp();
    say({ type: 'ready' });
    const [first, second] = [handle.collect(), handle.collect()];
    const ids = told.flatMap((message) => (message.type === 'collect' ? [message.id] : []));
    expect(new Set(ids).size).toBe(2);
    say({ type: 'collected', id: ids[1] as number, metrics: { n: 2 } });
    say({ type: 'collected', id: ids[0] as number, metrics: { n: 1 } });
    expect(await Promise.all([first, second])).toEqual([{ n: 1 }, { n: 2 }]);
  });

  it('are missing where it does not tell them in time, or does not serve yet', async () => {
    const { handle, say, clock, told } = setUp();
    expect(await handle.collect()).toBeUndefined();
    expect(told).toEqual([]);
    say({ type: 'ready' });
    const collected = handle.collect();
    clock.advance(TIMINGS.collectMs);
    expect(await collected).toBeUndefined();
    // What comes too late is for nobody.
    say({ type: 'collected', id: 1, metrics: {} });
  });

  it('nothing is told to one whose channel is closed', () => {
    const { handle, worker, told } = setUp();
    worker.isConnected = () => false;
    handle.tell({ type: 'stop' });
    expect(told).toEqual([]);
  });
});
