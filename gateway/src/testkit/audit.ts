import { formatPosition, type Position } from '@fanfare/client';
import type { ChannelPolicy } from '../namespaces.js';
import { positionOf, type Reading } from './readings.js';
import type { TestLog } from './test-log.js';

/**
 * Compares what each subscription of a durable channel was given with what the log holds.
 * @throws {Error} with the first difference: a message that was left out, came twice or out of order, was never stored,
 * or has not come although the subscription is on its channel
 */
export function audit(
  readings: readonly Reading[],
  log: TestLog,
  policy: (channel: string) => ChannelPolicy | undefined,
): void {
  for (const reading of readings) {
    const channel = policy(reading.channel);
    if (!channel?.durable) continue;
    const fail = (what: string): never => {
      throw new Error(`${reading.reader} on ${reading.channel}: ${what}`);
    };
    checkRun(reading, log, fail);
    const { head } = log.view(channel);
    const at = reading.standsAt();
    if (at && at.offset < head.offset) fail(`stands at ${formatPosition(at)}, and the log goes on to ${head.offset}`);
  }
}

function checkRun({ given, channel, mayRepeat }: Reading, log: TestLog, fail: (what: string) => void): void {
  let at: Position | undefined;
  for (const one of given) {
    if (one.type === 'place') {
      // A named subscription is told its places before it is given the messages.
      if (!mayRepeat) at = one.position;
      continue;
    }
    const position = positionOf(one.message);
    if (position === undefined) continue;
    const here = formatPosition(position);
    if (!log.held(channel, { epoch: Number(position.epoch), offset: position.offset }))
      fail(`was given ${here}, which was never stored`);
    const isRepeated = mayRepeat && at !== undefined && formatPosition(at) === here;
    if (at && !mayRepeat && position.offset !== at.offset + 1) fail(`was given ${here} after ${formatPosition(at)}`);
    if (at && mayRepeat && !isRepeated && position.offset <= at.offset && position.epoch === at.epoch)
      fail(`was given ${here} after ${formatPosition(at)}`);
    at = position;
  }
}
