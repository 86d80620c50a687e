import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { expect, it, onTestFinished } from 'vitest';
import { LogStream } from './log-stream.js';

/** The pipe to a process that does not read it. */
function unreadPipe(): { child: ChildProcess; pipe: Writable } {
  const child = spawn('sleep', ['60'], { stdio: ['pipe', 'ignore', 'ignore'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  return { child, pipe: child.stdin as Writable };
}

it('holds a bounded backlog for a reader who stands still, and counts what it drops', () => {
  const { pipe } = unreadPipe();
  const stream = new LogStream(pipe, { now: () => 0 });
  const losses: string[] = [];
  stream.onLoss = (reason) => losses.push(reason);
  const line = `${'x'.repeat(1023)}\n`;
  for (let i = 0; i < 5_000; i++) stream.write(line);
  expect(pipe.writableLength).toBeLessThanOrEqual(1024 * 1024 + line.length);
  expect(stream.lost).toBeGreaterThan(3_000);
  expect(stream.lost).toBeLessThan(5_000);
  expect(losses).toEqual(['nobody reads it']);
});

it('survives a reader who is gone, tries again after a second, and says before that how much was lost', async () => {
  const { child, pipe } = unreadPipe();
  let now = 0;
  const stream = new LogStream(pipe, { now: () => now });
  const told: unknown[] = [];
  stream.onLoss = (reason) => told.push(reason);
  stream.onRecovery = (lost) => told.push(lost);
  child.kill('SIGKILL');
  await once(child, 'exit');
  stream.write('lost\n');
  await expect.poll(() => stream.lost).toBe(1);
  for (let i = 0; i < 9; i++) stream.write('not even tried\n');
  expect([stream.lost, told]).toEqual([10, [expect.stringMatching(/EPIPE|destroyed/)]]);
  now = 1_000;
  stream.write('tried\n');
  expect(told.slice(1)).toEqual([10]);
});
