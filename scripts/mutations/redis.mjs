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
  ...of(
    'gateway/src/broker/redis/push/channel-subscription.ts',
    'gateway/src/broker/redis/push/channel-subscription.test.ts',
    [
      ['an acknowledgement of an earlier connection counts', 'if (this.#link !== link) return false;', ''],
      ['what an earlier connection still pushes is heard', 'if (this.#link === link) this.#listener', 'this.#listener'],
      [
        'what was not on is interrupted',
        "if (this.#state !== 'acknowledged') return;\n    this.#state = 'interrupted';",
        "this.#state = 'interrupted';",
      ],
      ['the end of an interruption is not told', 'if (wasInterrupted) this.#listener.onResumed();', ''],
      ['one that has ended is told of its interruption', "    this.#state = 'ended';\n", ''],
      ['a read ends no doubt', 'this.#doubtsSinceRead = 0;', ''],
    ],
  ),
  ...of('gateway/src/broker/redis/push/log-reads.ts', 'gateway/src/broker/redis/push/log-reads.test.ts', [
    ['a replica is believed', "role !== 'master' || ", ''],
    ['a server that took over is believed', ' || replicationId !== answering.replicationId', ''],
    [
      'a server that is no longer the master is asked again and again',
      "answering.lose('it is no longer the master it was');",
      '',
    ],
    ['what nobody confirmed is believed', 'checks.includes(false) || ', ''],
    ['what was confirmed of another master is believed', ' || shard.connection?.link !== link', ''],
    [
      'what comes on a lost connection is believed',
      "if (!link.isOpen) throw new Error('the connection was lost');",
      '',
    ],
    ['nothing fails fast', 'range.failFast ? 0 : readWaitMs', 'readWaitMs'],
    ['a read-only server is kept', "if (isReadOnly(error)) link.lose('it is read-only');", ''],
    ['a slot that moved is told to nobody', 'if (isMoved(error)) this.#options.onMoved();', ''],
    ['an ASK without a host leads nowhere', 'redirection.host || link.address.host', 'redirection.host'],
    ['who is asked is not told that it is', 'redis.asking().catch(() => {});', ''],
    ['a fault of ours is tried again', 'if (!isPassing(reason)) {', 'if (false) {'],
  ]),
  ...of('gateway/src/broker/redis/push/doubts.ts', 'gateway/src/broker/redis/push/doubts.test.ts', [
    ['a doubt waits for a second', 'if (isNew) this.#tell(shard);', ''],
    ['a doubt ends as soon as the slot has moved', 'else if (until < this.#clock.now())', 'else'],
    ['a doubt has no end', 'else if (until < this.#clock.now()) this.#until.delete(shard);', ''],
  ]),
  ...of('gateway/src/broker/redis/push/health.ts', 'gateway/src/broker/redis/push/health.test.ts', [
    ["shards without a master are nobody's", 'if (unserved > 0) {', 'if (unserved < 0) {'],
    ['channels that are not subscribed again are no trouble', 'if (interrupted > 0)', 'if (interrupted < 0)'],
  ]),
  ...of('gateway/src/redis/topology/cluster-census.ts', 'gateway/src/redis/topology/cluster-census.test.ts', [
    ['what others say of a node outweighs what it says', 'if (isHearsay) continue;', ''],
    [
      'half of the masters are a majority',
      'isMajority: votes * 2 > voters.size',
      'isMajority: votes * 2 >= voters.size',
    ],
    ['the older claim of a slot wins', 'node.configEpoch > best.epoch', 'node.configEpoch < best.epoch'],
    [
      'a mark that stayed behind says that the slot moves',
      'if (claims.get(slot)?.node.id === selfId) moving.add(slot);',
      'moving.add(slot);',
    ],
  ]),
  ...of('gateway/src/redis/topology/sentinel-census.ts', 'gateway/src/redis/topology/sentinel-census.test.ts', [
    ['half of the sentinels are a majority', 'given.length * 2 > known', 'given.length * 2 >= known'],
    ['an older failover has a vote', '.filter(({ configEpoch }) => configEpoch === epoch)', ''],
    [
      'a sentinel that is known by two addresses has two votes',
      '[...new Map([...answers.values()].map((answer) => [answer.self.id, answer])).values()]',
      '[...answers.values()]',
    ],
  ]),
  ...of('gateway/src/broker/redis/push/virtual-shard.ts', 'gateway/src/broker/redis/push/virtual-shard.test.ts', [
    ['a slot that moved keeps its subscriptions', '    this.lose();\n    this.schedule();', '    this.schedule();'],
    ['what is refused is not asked for again', 'this.#clock.after(this.#backoff.next(), () => this.schedule());', ''],
    ['what was left before it was asked for is asked for', 'this.#wanted.delete(channel);', ''],
    [
      'an answer of the master before counts',
      'channels.filter((channel) => channel.link === link)',
      'channels.filter((channel) => channel !== undefined)',
    ],
    [
      'all names go into one command',
      'i += MAX_NAMES) result.push(items.slice(i, i + MAX_NAMES));',
      'i += items.length) result.push(items.slice(i));',
    ],
  ]),
];
