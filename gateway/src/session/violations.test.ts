import { expect, it } from 'vitest';
import { RateRefusals, Violations } from './violations.js';

it('the tenth violation within a minute is one too many', () => {
  const violations = new Violations();
  const verdicts = Array.from({ length: 10 }, (_, index) => violations.add(index * 6_000));
  expect(verdicts).toEqual([...Array(9).fill(false), true]);
});

it('ten violations in a minute or more are borne', () => {
  const violations = new Violations();
  for (let index = 0; index < 100; index++) expect(violations.add(index * 7_000)).toBe(false);
});

it('the 2000th refusal of a stretch of 10 s is one too many, and each stretch counts anew', () => {
  const refusals = new RateRefusals();
  for (let index = 1; index < 2_000; index++) expect(refusals.add(0)).toBe(false);
  expect(refusals.add(9_999)).toBe(true);
  expect(refusals.add(10_000)).toBe(false);
});
