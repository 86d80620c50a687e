/** Which commands a gateway needs that its user may not call. */
import type { Redis } from 'ioredis';
import { probeName } from '../../redis/keys.js';
import { isNotPermitted } from '../../redis/reply-errors.js';

/**
 * The commands that a gateway sends to servers that hold data, and those that its scripts call there, in forms that
 * change nothing. INFO, EVAL and SPUBLISH are checked elsewhere. docs/REDIS.md lists all of them.
 */
function probesOf(shard: number, isCluster: boolean): [name: string, ...args: string[]][] {
  const key = probeName(shard);
  return [
    ['PING'],
    ['ROLE'],
    ['WAIT', '0', '0'],
    ['TIME'],
    ['EVALSHA', '0'.repeat(40), '1', key],
    ['SCRIPT', 'LOAD', 'return 1'],
    ['CLIENT', 'INFO'],
    ...(isCluster ? [['ASKING'] as [string]] : []),
    ['GET', key],
    ['SET', key, '', 'PX', '0'],
    ['XADD', key, 'no ID', 'r', ''],
    ['XRANGE', key, '-', '+', 'COUNT', '1'],
    ['XREVRANGE', key, '+', '-', 'COUNT', '1'],
    ['PEXPIRE', key, 'no number'],
    ['PEXPIREAT', key, 'no number'],
    // Of presence.
    ['PERSIST', key],
    ['EXISTS', key],
    ['HGET', key, ''],
    ['HSET', key, ''],
    ['HDEL', key, ''],
    ['HKEYS', key],
    ['HGETALL', key],
    ['SADD', key],
    ['SREM', key, ''],
    ['SMEMBERS', key],
    ['SRANDMEMBER', key],
    ['ZADD', key, 'no number', ''],
    ['ZREM', key, ''],
    ['ZCARD', key],
    ['ZRANGE', key, '0', '0'],
    // Of webhooks.
    ['DEL', key],
    ['XLEN', key],
    ['XDEL', key, 'no ID'],
  ];
}

/**
 * The replies that refuse a command for lack of permission, by command. Other failures are left out, because they do
 * not answer this question.
 */
export async function missingPermissions(
  redis: Redis,
  shard: number,
  isCluster: boolean,
): Promise<Map<string, string>> {
  const missing = new Map<string, string>();
  const watch = (command: string, reply: Promise<unknown>) =>
    reply.catch((error: Error) => {
      if (isNotPermitted(error)) missing.set(command, error.message);
    });
  const name = probeName(shard);
  await Promise.all([
    ...probesOf(shard, isCluster).map(([command, ...args]) => watch(command, redis.call(command, ...args))),
    watch('SSUBSCRIBE', redis.ssubscribe(name)),
    watch('SUNSUBSCRIBE', redis.sunsubscribe(name)),
  ]);
  return missing;
}
