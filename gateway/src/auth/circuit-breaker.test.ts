import { expect, it } from 'vitest';
import { ManualClock } from '../../test/support/manual-clock.js';
import { CircuitBreaker } from './circuit-breaker.js';

const fails = () => Promise.reject(new Error('down'));
const works = async () => 'up';

function setUp() {
  const clock = new ManualClock();
  const states: unknown[] = [];
  const breaker = new CircuitBreaker({ clock, failures: 3, openMs: 1_000, onState: (failure) => states.push(failure) });
  const outcome = (call: () => Promise<string>) =>
    breaker.run(call).catch((error: Error & { code?: string }) => error.code ?? error.message);
  return { clock, states, outcome };
}

it('opens after failures in a row, not before, and tells it once', async () => {
  const { states, outcome } = setUp();
  for (const call of [fails, fails, works, fails, fails]) await outcome(call);
  expect(states).toEqual([]);
  expect(await outcome(fails)).toBe('down');
  expect(await outcome(works)).toBe('unavailable');
  expect(states).toEqual([expect.any(Error)]);
});

it('lets one call through after its time: success closes it, failure doubles the time', async () => {
  const { clock, states, outcome } = setUp();
  for (let n = 0; n < 3; n++) await outcome(fails);
  clock.advance(1_000);
  const [first, second] = await Promise.all([outcome(fails), outcome(works)]);
  expect([first, second]).toEqual(['down', 'unavailable']);
  clock.advance(1_999);
  expect(await outcome(works)).toBe('unavailable');
  clock.advance(1);
  expect(await outcome(works)).toBe('up');
  expect(await outcome(works)).toBe('up');
  expect(states).toEqual([expect.any(Error), undefined]);
});

it('takes no late failure of a call that began before it opened for a new one', async () => {
  const { clock, outcome } = setUp();
  let failLate: (error: Error) => void = () => {};
  const late = outcome(
    () =>
      new Promise((_, reject) => {
        failLate = reject;
      }),
  );
  for (let n = 0; n < 3; n++) await outcome(fails);
  clock.advance(900);
  failLate(new Error('late'));
  expect(await late).toBe('late');
  clock.advance(100);
  expect(await outcome(works)).toBe('up');
});
