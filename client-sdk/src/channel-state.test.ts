import { describe, expect, it, vi } from 'vitest';
import { withLogServer } from '../test/support.js';
import type { Snapshot } from './channel-state.js';
import { FanfareClientError, type Position } from './index.js';
import { settle } from './testing/index.js';

const CHANNEL = 'doc:1';

/** A list that grows by messages, and a backend that keeps it. */
function aList() {
  const setup = withLogServer();
  const { client, server, clock } = setup;
  client.connect();
  clock.advance(5);
  const log = server.log(CHANNEL);
  const stored = (): Snapshot<readonly string[]> => ({
    state: log.entries.map(({ data }) => data as string),
    position: log.head,
  });
  const load = vi.fn(async (_signal: AbortSignal) => stored());
  const open = () =>
    client.channel<string>(CHANNEL).state({ load, apply: (list: readonly string[], { data }) => [...list, data] });
  const run = async (ms = 10) => {
    await settle();
    clock.advance(ms);
    await settle();
  };
  const publish = (...texts: string[]) => {
    for (const text of texts) server.publish(CHANNEL, text);
  };
  return { ...setup, log, load, open, run, publish, stored };
}

describe('the state of a channel', () => {
  it('is a snapshot and what comes after it, however long the snapshot took', async () => {
    const { load, open, run, publish, stored } = aList();
    publish('a', 'b');
    let arrive: (snapshot: Snapshot<readonly string[]>) => void = () => {};
    const taken = stored();
    load.mockReturnValueOnce(new Promise((resolve) => (arrive = resolve)));
    const state = open();
    const views: string[] = [];
    state.on('change', (view) => views.push(`${view.status} ${view.state?.join('')}`));
    publish('c');
    await run();
    expect([state.status, state.current]).toEqual(['loading', undefined]);
    arrive(taken);
    await run();
    publish('d');
    await run();
    expect(views).toEqual(['loading ab', 'live ab', 'live abc', 'live abcd']);
    expect(state.view).toBe(state.view);
  });

  it('follows a log that was empty when the snapshot was taken', async () => {
    const { open, run, publish } = aList();
    const state = open();
    await run();
    publish('a');
    await run();
    expect([state.status, state.current]).toEqual(['live', ['a']]);
  });

  it('is stale while there is no connection, and goes on without a new snapshot', async () => {
    const { open, run, publish, server, load } = aList();
    const state = open();
    await run();
    server.link.cut();
    expect(state.status).toBe('stale');
    publish('a');
    await run(600);
    expect([state.status, state.current]).toEqual(['live', ['a']]);
    expect(load).toHaveBeenCalledTimes(1);
  });

  it('is loaded again after a reset, and never has what the log lost', async () => {
    const { open, run, publish, server, load } = aList();
    const state = open();
    await run();
    publish('a', 'b');
    await run();
    server.takeOver(CHANNEL, 1);
    const signals = load.mock.calls.map(([signal]) => signal);
    publish('c');
    await run();
    await run();
    expect([state.status, state.current]).toEqual(['live', ['a', 'c']]);
    expect(load).toHaveBeenCalledTimes(2);
    expect(signals[0]?.aborted).toBe(true);
  });

  it('asks for snapshots that are always too old with growing pauses', async () => {
    const { open, run, publish, log, load } = aList();
    publish('a', 'b', 'c');
    log.trim(1);
    load.mockImplementation(async () => ({ state: [], position: { epoch: log.head.epoch, offset: 1 } as Position }));
    const state = open();
    for (let ms = 0; ms < 30_000; ms += 10) await run();
    expect(load.mock.calls.length).toBeGreaterThan(3);
    expect(load.mock.calls.length).toBeLessThan(20);
    expect(state.status).not.toBe('failed');
  });

  it('tries again when loading fails, and tells each time', async () => {
    const { open, run, load, errors } = aList();
    load.mockRejectedValueOnce(new Error('down')).mockRejectedValueOnce(new Error('down'));
    const state = open();
    for (let tries = 0; tries < 3; tries++) await run(2_000);
    expect(state.status).toBe('live');
    expect(errors.map(({ code, channel }) => [code, channel])).toEqual(Array(2).fill(['load_failed', CHANNEL]));
  });

  it('fails for good by an error that is not retryable, until it is reloaded', async () => {
    const { open, run, load } = aList();
    load.mockRejectedValueOnce(new FanfareClientError('forbidden', 'no'));
    const state = open();
    await run(60_000);
    expect([state.status, state.error?.code]).toEqual(['failed', 'load_failed']);
    expect(load).toHaveBeenCalledTimes(1);
    state.reload();
    await run();
    expect([state.status, state.error]).toEqual(['live', undefined]);
  });

  it('fails rather than leave a message out that could not be applied', async () => {
    const { client, server, run, stored } = aList();
    const state = client.channel<string>(CHANNEL).state({
      load: async () => stored(),
      apply: (list: readonly string[], { data }) => {
        if (data === 'bad') throw new Error('no');
        return [...list, data];
      },
    });
    await run();
    for (const text of ['a', 'bad', 'c']) server.publish(CHANNEL, text);
    await run();
    expect([state.status, state.error?.code, state.current]).toEqual(['failed', 'handler_failed', ['a']]);
    expect(server.membersOf(CHANNEL)).toEqual([]);
  });

  it('is not to be had of a live channel', async () => {
    const { client, run } = aList();
    const load = async () => ({ state: 0, position: { epoch: '1', offset: 0 } });
    const state = client.channel('live:x').state({ load, apply: (count) => count + 1 });
    await run();
    expect([state.status, state.error?.code]).toEqual(['failed', 'wrong_kind']);
  });

  it('ends with the client, and with close(); nothing is loaded or told afterwards', async () => {
    const { client, server, open, run, publish, load } = aList();
    const closed = open();
    await run();
    closed.close();
    await run();
    expect(server.membersOf(CHANNEL)).toEqual([]);
    const other = open();
    client.close();
    publish('a');
    await run(60_000);
    expect([other.status, other.error?.code]).toEqual(['failed', 'closed']);
    expect(closed.current).toEqual([]);
    expect(load).toHaveBeenCalledTimes(2);
    client.connect();
    other.reload();
    await run();
    expect([other.status, other.current]).toEqual(['live', ['a']]);
  });

  it('comes back with a connection that failed for good and is asked for again', async () => {
    const { client, server, open, run, publish } = aList();
    const state = open();
    await run();
    server.link.close(4403, 'out');
    await run();
    expect([state.status, state.error?.code]).toEqual(['failed', 'forbidden']);
    publish('a');
    client.connect();
    await run();
    expect([state.status, state.error, state.current]).toEqual(['live', undefined, ['a']]);
  });
});
