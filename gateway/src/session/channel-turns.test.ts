import { expect, it } from 'vitest';
import { ChannelTurns } from './channel-turns.js';

/** A task that notes when it begins, and is over when it is told so. */
function tasks() {
  const begun: string[] = [];
  const task = (name: string) => {
    let finish = (): void => {};
    let fail = (_: Error): void => {};
    const over = new Promise<void>((resolve, reject) => {
      finish = resolve;
      fail = reject;
    });
    const run = () => {
      begun.push(name);
      return over;
    };
    return { run, finish, fail };
  };
  return { begun, task };
}

const allowed = (): void => {};

const turn = () => new Promise(setImmediate);

it('what is asked of one channel runs in order, of different channels at once', async () => {
  const { begun, task } = tasks();
  const turns = new ChannelTurns();
  const first = task('subscribe a');
  void turns.run('a', first.run);
  void turns.run('a', task('unsubscribe a').run);
  void turns.run('b', task('subscribe b').run);
  expect(begun).toEqual(['subscribe a', 'subscribe b']);
  first.finish();
  await turn();
  expect(begun).toEqual(['subscribe a', 'subscribe b', 'unsubscribe a']);
});

it('goes on behind one that failed', async () => {
  const { begun, task } = tasks();
  const turns = new ChannelTurns();
  const first = task('first');
  const result = turns.run('a', first.run);
  void turns.run('a', task('second').run);
  first.fail(new Error('no'));
  await expect(result).rejects.toThrow('no');
  await turn();
  expect(begun).toEqual(['first', 'second']);
});

it('publishes do not wait for each other, but for a subscribe before them, and hold up what is behind until they run', async () => {
  const { begun, task } = tasks();
  const turns = new ChannelTurns();
  const subscribe = task('subscribe');
  void turns.publish('a', allowed, task('publish 1').run);
  void turns.publish('a', allowed, task('publish 2').run);
  void turns.run('a', subscribe.run);
  void turns.publish('a', allowed, task('publish 3').run);
  void turns.run('a', task('unsubscribe').run);
  expect(begun).toEqual(['publish 1', 'publish 2', 'subscribe']);
  subscribe.finish();
  await turn();
  expect(begun).toEqual(['publish 1', 'publish 2', 'subscribe', 'publish 3', 'unsubscribe']);
});

it('a subscribe waits until the publishes before it are answered, an unsubscribe until they are being stored', async () => {
  const { begun, task } = tasks();
  const turns = new ChannelTurns();
  const publish = task('publish');
  void turns.publish('a', allowed, publish.run);
  void turns.run('a', task('unsubscribe').run).catch(() => {});
  expect(begun).toEqual(['publish', 'unsubscribe']);
  const other = task('publish b');
  void turns.publish('b', allowed, other.run);
  void turns.subscribe('b', task('subscribe b').run);
  await turn();
  expect(begun).toEqual(['publish', 'unsubscribe', 'publish b']);
  other.finish();
  await turn();
  expect(begun).toEqual(['publish', 'unsubscribe', 'publish b', 'subscribe b']);
});

it('publishes are prepared behind the subscribe before them, at once, and stored in order before what is behind', async () => {
  const { begun, task } = tasks();
  const turns = new ChannelTurns();
  const subscribe = task('subscribe');
  const slow = task('ask 1');
  void turns.run('a', subscribe.run);
  void turns.publish('a', slow.run, task('store 1').run);
  const fast = task('ask 2');
  void turns.publish('a', fast.run, task('store 2').run);
  const refused = turns.publish('a', () => Promise.reject(new Error('forbidden')), task('never').run);
  void turns.publish('a', allowed, task('store 4').run);
  void turns.run('a', task('unsubscribe').run);
  refused.catch(() => {});
  subscribe.finish();
  fast.finish();
  await turn();
  expect(begun).toEqual(['subscribe', 'ask 1', 'ask 2']);
  slow.finish();
  await turn();
  expect(begun).toEqual(['subscribe', 'ask 1', 'ask 2', 'store 1', 'store 2', 'store 4', 'unsubscribe']);
  await expect(refused).rejects.toThrow('forbidden');
});

it('history waits until everything before it is answered', async () => {
  const { task } = tasks();
  const turns = new ChannelTurns();
  const subscribe = task('subscribe');
  const publish = task('publish');
  void turns.run('a', subscribe.run);
  void turns.publish('a', allowed, publish.run);
  let isSettled = false;
  void turns.settled('a').then(() => {
    isSettled = true;
  });
  await turns.settled('b');
  subscribe.finish();
  await turn();
  expect(isSettled).toBe(false);
  publish.finish();
  await turn();
  expect(isSettled).toBe(true);
});

it('a publish is prepared once the subscribe before it is answered: what that allows it may do', async () => {
  const { begun, task } = tasks();
  const turns = new ChannelTurns();
  const subscribe = task('subscribe');
  void turns.run('a', subscribe.run);
  const prepare = () => {
    begun.push('prepare');
  };
  void turns.publish('a', prepare, task('store').run);
  await turn();
  expect(begun).toEqual(['subscribe']);
  subscribe.finish();
  await turn();
  expect(begun).toEqual(['subscribe', 'prepare', 'store']);
});
