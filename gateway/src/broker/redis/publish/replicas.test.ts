import { expect, it } from 'vitest';
import { Replicas } from './replicas.js';

const line = (n: number, port: number, state = 'online', lag = 0) =>
  `slave${n}:ip=10.0.0.${port},port=${port},state=${state},offset=70,lag=${lag}`;
const info = (...lines: string[]) => ['# Replication', 'role:master', ...lines, 'master_repl_offset:70'].join('\r\n');

it('counts replicas that are online and were heard of lately', () => {
  const replicas = new Replicas(1_000);
  replicas.note(info(line(0, 1), line(1, 2, 'wait_bgsave'), line(2, 3, 'online', 3), line(3, 4, 'online', 2)), 0);
  expect(replicas.count).toBe(2);
});

it('goes on counting one that is missed, until it has been for long', () => {
  const replicas = new Replicas(1_000);
  replicas.note(info(line(0, 1), line(1, 2)), 0);
  // Nobody asked for long: it is missed from the moment on at which that is noticed.
  replicas.note(info(line(0, 1)), 60_000);
  expect(replicas.count).toBe(2);
  replicas.note(info(line(0, 1)), 60_999);
  expect(replicas.count).toBe(2);
  replicas.note(info(line(0, 1)), 61_000);
  expect(replicas.count).toBe(1);
});

it('forgets that one was missed once it is back', () => {
  const replicas = new Replicas(1_000);
  replicas.note(info(line(0, 1)), 0);
  replicas.note(info(line(0, 1, 'online', 9)), 100);
  replicas.note(info(line(0, 1)), 900);
  replicas.note(info(), 1_100);
  expect(replicas.count).toBe(1);
  replicas.note(info(), 2_100);
  expect(replicas.count).toBe(0);
});

it('waits for as many as are wanted and there are, and for one in any case', () => {
  const replicas = new Replicas(1_000);
  expect([replicas.toWaitFor('all'), replicas.toWaitFor(2)]).toEqual([1, 1]);
  replicas.note(info(line(0, 1), line(1, 2)), 0);
  expect([replicas.toWaitFor('all'), replicas.toWaitFor(1), replicas.toWaitFor(3)]).toEqual([2, 1, 2]);
});
