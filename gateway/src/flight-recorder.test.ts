import { expect, it } from 'vitest';
import { EVENT, FlightRecorder } from './flight-recorder.js';

function record(size: number) {
  let now = 0;
  const recorder = new FlightRecorder(size, () => ++now);
  const flush = (channel: string, from: number, to: number) =>
    recorder.note(EVENT.flushed, channel, '', 1, from, to, 3);
  const offsets = (channel: string) => [...recorder.of(channel)].map(({ from, to }) => [from, to]);
  return { recorder, flush, offsets };
}

it('remembers what happened on a channel, the oldest first', () => {
  const { recorder, flush, offsets } = record(10);
  flush('a', 1, 3);
  flush('b', 1, 1);
  flush('a', 4, 4);
  recorder.noteAt(EVENT.lagged, 'a', 's1', { epoch: 1, offset: 4 });
  expect(offsets('a')).toEqual([
    [1, 3],
    [4, 4],
    [4, 4],
  ]);
  expect([...recorder.of('a')].at(-1)).toEqual({
    what: 'lagged',
    at: 4,
    who: 's1',
    epoch: 1,
    from: 4,
    to: 4,
    count: 0,
  });
  expect([...recorder.of('a')][0]).toEqual({ what: 'flushed', at: 1, who: '', epoch: 1, from: 1, to: 3, count: 3 });
  expect([...recorder.of('c')]).toEqual([]);
  expect(recorder.since).toBeUndefined();
});

it('forgets the oldest events, and says since when it remembers', () => {
  const { recorder, flush, offsets } = record(4);
  for (let offset = 1; offset <= 4; offset++) flush('a', offset, offset);
  expect([offsets('a').length, recorder.since]).toEqual([4, undefined]);
  flush('a', 5, 5);
  expect(offsets('a').map(([from]) => from)).toEqual([2, 3, 4, 5]);
  expect(recorder.since).toBe(2);
  for (let offset = 6; offset <= 103; offset++) flush('b', offset, offset);
  expect([offsets('a'), offsets('b').length, recorder.since]).toEqual([[], 4, 100]);
});

it('records nothing where it may hold nothing', () => {
  const { recorder, flush, offsets } = record(0);
  flush('a', 1, 1);
  expect([recorder.isOn, offsets('a')]).toEqual([false, []]);
});
