import { expect, it } from 'vitest';
import type { Point } from '../report/result.js';
import { judgeGenerators } from './limits.js';
import { Recording } from './recording.js';

/**
 * Returns a run of some seconds. For each second it takes how busy the event loop is, and for how much of the time the
 * process computes.
 */
function recorded(
  seconds: readonly (readonly [generatorBusy: number, generatorCore: number])[],
  lateMs = 1,
): Recording {
  const recording = new Recording();
  const idle = recording.add([], undefined);
  recording.points.length = 0;
  recording.points.push({ ...idle, generatorBusy: 1, generatorCore: 1 } satisfies Point);
  for (const [generatorBusy, generatorCore] of seconds)
    recording.points.push({ ...idle, published: 50, received: 50_000, generatorBusy, generatorCore } satisfies Point);
  recording.lateness.recordValue(lateMs * 1000);
  return recording;
}

it.each([
  ['one that had time left', [0.8, 0.8], 0, 0],
  ['one whose loop was busy with its own work', [0.99, 0.98], 1, 0],
  ['one that shared its core with a gateway, and wanted all of it', [0.99, 0.75], 1, 0],
  ['one that waited for a core on a busy machine', [0.99, 0.4], 0, 1],
  ['one that was never idle on a busy machine', [1, 0.4], 1, 0],
] as const)('%s', (_name, second, limits, notes) => {
  const verdict = judgeGenerators(recorded([second, second, second]), 0);
  expect(verdict.limits).toHaveLength(limits);
  expect(verdict.notes).toHaveLength(notes);
});

it('seconds without load, and a few busy ones, are no limit', () => {
  const verdict = judgeGenerators(
    recorded([
      [0.99, 0.98],
      [0.5, 0.5],
      [0.5, 0.5],
      [0.5, 0.5],
    ]),
    0,
  );
  expect(verdict).toEqual({ limits: [], notes: [] });
});

it('messages that left late are told, and limit the run where the generator was the reason', () => {
  const late = (second: readonly [number, number]) => judgeGenerators(recorded([second, second, second], 400), 0);
  expect(late([0.99, 0.98]).limits.join()).toContain('400 ms after they were due');
  expect(late([0.3, 0.2])).toMatchObject({
    limits: [],
    notes: [expect.stringContaining('400 ms after they were due')],
  });
});

it('messages that were never sent limit the run', () => {
  expect(judgeGenerators(recorded([[0.3, 0.2]]), 7).limits.join()).toContain('7 messages of the schedule');
});
