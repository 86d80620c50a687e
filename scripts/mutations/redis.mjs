/** Faults in the Redis broker, and its Lua scripts. */
import { of } from './of.mjs';

export default [
  ...of('gateway/src/broker/redis/publish/lane.ts', 'gateway/src/broker/redis/publish/lane.test.ts', [
    [
      'a retry goes behind the others',
      'this.#queue.putBack(again);',
      'for (const one of again) this.#queue.push(one);',
    ],
    ['who may be done is told that it was not', 'mayBeDone ? outcomeUnknown', '!mayBeDone ? outcomeUnknown'],
    ['those who wait for a replica go with those who do not', '|| (next.replicas !== undefined) !== isReplicated', ''],
    ['a batch has no bounds', 'if (count > 0 && bytes > MAX_BATCH_BYTES) break;', ''],
    ['retries never rest', 'hint.isSoon && this.#failures <= MAX_HURRIED_RETRIES ? now', 'hint.isSoon ? now'],
  ]),
  ...of('gateway/src/broker/redis/publish/replicas.ts', 'gateway/src/broker/redis/publish/replicas.test.ts', [
    [
      'a replica that left is forgotten at once',
      'if (since === undefined) this.#missedSince.set(address, now);',
      'if (since === undefined) this.#missedSince.delete(address);',
    ],
    ['a replica that hangs is in sync', 'if (Number(lag) <= MAX_LAG_S) seen', 'seen'],
    ['replicas that are not there are waited for', 'Math.min(wanted, this.count)', 'wanted'],
    ['where no replica is known none is waited for', 'Math.max(1, wanted', 'Math.max(0, wanted'],
  ]),
  ...of(
    'gateway/src/broker/redis/push/channel-subscription.ts',
    'gateway/src/broker/redis/push/channel-subscription.test.ts',
    [['each doubt is told', 'if (this.#doubtsSinceRead++ % DOUBTS_UNTIL_TOLD_AGAIN === 0) this', 'this']],
  ),
  ...of('gateway/src/broker/redis/scripts/publish.lua', 'gateway/test/redis/scripts.test.ts', [
    ['another server goes on in the same epoch', 'elseif known_replid ~= replid then', 'elseif false then'],
    ['a key that was seen is stored again', 'if first then', 'if false then'],
    ['a key in Redis is not remembered', "if key then call('SET', key, id, 'PX', key_ttl) end", ''],
    ['the log in Redis keeps everything', 'if i == count then', 'if false then'],
    [
      'only the first of a batch is pushed',
      "call('SPUBLISH', push, together(pushes))",
      "call('SPUBLISH', push, pushes[1])",
    ],
    [
      'each publish sets the end of the log',
      'if remaining < log_ttl or remaining > log_ttl * SLACK then',
      'if true then',
      {
        equivalent: 'the log ends in the same span; it only costs a command more with each publish',
      },
    ],
    ['a history that was made longer ends as it would have', 'if remaining < log_ttl or', 'if expires_at == 0 or'],
    [
      'a lineage in Redis of sixteen',
      'if length <= LONGEST_LINEAGE and tonumber(second) >= first_epoch then break end',
      '',
    ],
    ['a lineage in Redis without end', 'lineage = trimmed(lineage, log)', ''],
  ]),
  ...of('gateway/src/broker/redis/scripts/include-log.lua', 'gateway/test/redis/scripts.test.ts', [
    [
      'a clock that stepped back gives an older epoch',
      'if now > epoch then return now end',
      'if true then return now end',
    ],
    [
      'two forks with slow clocks get the same epoch',
      'return epoch + 1 + tonumber(string.sub(replid, 1, 5), 16)',
      'return epoch + 1',
    ],
    ['a log without meta has no head', 'if not last then return nil end', 'if true then return nil end'],
    [
      'the log itself tells a base that is one too high',
      "local base = tonumber(string.match(first[1], '-(%d+)$')) - 1",
      "local base = tonumber(string.match(first[1], '-(%d+)$'))",
    ],
  ]),
  ...of('gateway/src/broker/redis/scripts/read-2.lua', 'gateway/test/redis/scripts.test.ts', [
    ['a page from Redis has no end in bytes', ' or (#records > 0 and bytes > max_bytes)', ''],
    ['a page from Redis never tells of more', 'then return records, 1 end', 'then return records, 0 end'],
    ['a page backwards stands on its head', '  records = reversed(records)\n', ''],
    ['a reader makes up a new identity each time', "if new_ttl ~= '0' then write_meta", 'if false then write_meta'],
    ['reading renews no identity', "if renew_ttl ~= '0' and role == 'master' then", 'if false then'],
    ['the entry at the time itself is left out', ', TIME_AT) < time', ', TIME_AT) <= time'],
  ]),
];
