/** Whether a Redis deployment is fit for Fanfare, and what would make it better. */
import type { Redis } from 'ioredis';
import { type Clock, systemClock } from '../../clock.js';
import { within } from '../../redis/deadline.js';
import { POLL_TIMINGS } from '../../redis/deployment.js';
import { probeName, SHARD_COUNT, SHARD_COUNT_KEY, slotOfShard } from '../../redis/keys.js';
import { openLink, parseInfo } from '../../redis/link.js';
import { faultKind, isCrossSlot, refusalOf } from '../../redis/reply-errors.js';
import { createTopology } from '../../redis/topology/topologies.js';
import type { Topology, TopologyView } from '../../redis/topology/topology.js';
import { dataConnectionOptions, parseRedisUrl, type RedisTarget } from '../../redis/url.js';
import { missingPermissions } from './permissions.js';
import { DEFAULT_MAX_MESSAGE_BYTES } from './push/options.js';
import { bufferProblem, parseBufferLimit, readBufferLimit } from './push/output-buffer.js';
import { SAFE_POLICY } from './push/push-link.js';

/** One finding. `error`: a gateway does not start. `advice`: it starts, and something could be safer. */
export interface CheckLine {
  readonly level: 'ok' | 'advice' | 'error';
  readonly text: string;
}

const HANDSHAKE_MS = 3_000;
const ANSWER_MS = 3_000;
const DISCOVERY_MS = 5_000;
const MIN_MAJOR_VERSION = 7;
/** The default of Redis is 32 MiB; https://redis.io/docs/latest/develop/reference/clients/#output-buffer-limits */
const ROOMY_PUBSUB_BUFFER_BYTES = 64 * 1024 * 1024;

const ok = (text: string): CheckLine => ({ level: 'ok', text });
const advice = (text: string): CheckLine => ({ level: 'advice', text });
const error = (text: string): CheckLine => ({ level: 'error', text });

/**
 * What `fanfare check` prints: every master is asked, nothing is written.
 * @param maxMessageBytes largest message that is to be published
 * Never rejects: what cannot be reached or read is a line.
 */
export async function checkRedis(
  url: string,
  maxMessageBytes = DEFAULT_MAX_MESSAGE_BYTES,
  clock: Clock = systemClock,
): Promise<CheckLine[]> {
  try {
    const target = parseRedisUrl(url);
    const view = await discover(target, clock);
    const checked = await Promise.all(
      [...view.masters.keys()].map((name) => checkMaster(target, view, name, maxMessageBytes, clock)),
    );
    const served = [ok(`${target.kind}: ${[...view.masters.keys()].join(', ')}`)];
    const unserved = unservedShards(view);
    if (unserved > 0) served.push(error(`${unserved} of ${SHARD_COUNT} virtual shards have no master`));
    return [...served, ...checked.flat()];
  } catch (cause) {
    return [error((cause as Error).message)];
  }
}

/**
 * Checks at the start of a gateway what it cannot do without, on the masters that can be reached; sets the shard count
 * where there is none. Resolves with what could not be checked now, one line each. That keeps no gateway from starting,
 * because gateways that run already serve in the same situation.
 * @throws {Error} with the first thing that is not fit, as one line
 */
export async function assertFit(
  target: RedisTarget,
  view: TopologyView,
  clock: Clock,
  maxMessageBytes = DEFAULT_MAX_MESSAGE_BYTES,
): Promise<string[]> {
  const checked = await Promise.all(
    [...view.masters].map(async ([name, address]) => {
      const redis = await openLink(address, dataConnectionOptions(target), clock, HANDSHAKE_MS).catch(() => undefined);
      if (!redis) return []; // its shards are lost, and known as such
      try {
        return await within(clock, ANSWER_MS, 'checks', essentials(redis, target, view, name, maxMessageBytes, true));
      } catch (cause) {
        return [failed(`${name}: INFO cannot be used`, cause as Error)];
      } finally {
        redis.disconnect();
      }
    }),
  );
  const lines = checked.flat();
  const unfit = lines.find(({ level }) => level === 'error');
  if (unfit) throw new Error(unfit.text);
  return lines.filter(({ level }) => level === 'advice').map(({ text }) => text);
}

/**
 * The finding for a check that failed: only a reply of Redis can say that something is not fit, and not every reply
 * does.
 */
function failed(text: string, cause: Error): CheckLine {
  const isAnswered = refusalOf(cause)?.isPassing === false || faultKind(cause) === 'broken';
  return isAnswered ? error(`${text}: ${cause.message}`) : advice(`${text} now, and was not checked: ${cause.message}`);
}

async function checkMaster(
  target: RedisTarget,
  view: TopologyView,
  name: string,
  maxMessageBytes: number,
  clock: Clock,
): Promise<CheckLine[]> {
  const address = view.masters.get(name);
  if (!address) return [];
  try {
    const redis = await openLink(address, dataConnectionOptions(target), clock, HANDSHAKE_MS);
    try {
      const lines = Promise.all([
        essentials(redis, target, view, name, maxMessageBytes, false),
        recommendations(redis, target, name),
      ]);
      return (await within(clock, ANSWER_MS, `${name}: checks`, lines)).flat();
    } finally {
      redis.disconnect();
    }
  } catch (cause) {
    return [error((cause as Error).message)];
  }
}

/** Checks on one master what a gateway cannot do without. */
async function essentials(
  redis: Redis,
  target: RedisTarget,
  view: TopologyView,
  name: string,
  maxMessageBytes: number,
  isStart: boolean,
): Promise<CheckLine[]> {
  const info = parseInfo(await redis.info());
  const version = info.get('redis_version') ?? 'unknown';
  const wrongMode = modeProblem(target, info.get('redis_mode'));
  if (wrongMode !== undefined) return [error(`${name}: ${wrongMode}`)];
  const policy = info.get('maxmemory_policy');
  const shard = shardOn(view, name);
  const limit = await readBufferLimit(redis);
  const tooSmall = limit && bufferProblem(limit, maxMessageBytes);
  return [
    ...(tooSmall === undefined ? [] : [error(`${name}: ${tooSmall}`)]),
    Number.parseInt(version, 10) >= MIN_MAJOR_VERSION
      ? ok(`${name}: version ${version}`)
      : error(`${name}: version ${version}; Redis 7.0 or later is needed`),
    info.get('role') === 'master' ? ok(`${name}: is a master`) : error(`${name}: is a replica; name the master`),
    policy === SAFE_POLICY
      ? ok(`${name}: maxmemory-policy ${SAFE_POLICY}`)
      : error(`${name}: maxmemory-policy is ${policy}; it must be ${SAFE_POLICY}, any other drops logs`),
    ...(shard === undefined
      ? []
      : await Promise.all([
          mayCall(redis, name, shard),
          mayPublish(redis, name, shard),
          permissions(redis, name, shard, target.kind === 'cluster'),
        ])),
    ...(view.owners.get(slotOfShard(0)) === name ? [await shardCount(redis, name, isStart)] : []),
  ];
}

/**
 * Why the kind of URL does not fit the server that it names. Such a server would answer, and then refuse half of what
 * it is asked.
 */
function modeProblem({ kind, tls }: RedisTarget, mode: string | undefined): string | undefined {
  const scheme = tls ? 'rediss' : 'redis';
  if (mode === 'sentinel') return `is a sentinel; name it as ${scheme}+sentinel://host:port/master-name`;
  if (mode === 'cluster' && kind !== 'cluster')
    return `is a node of a Redis Cluster; name it as ${scheme}+cluster://host:port`;
  return undefined;
}

function mayCall(redis: Redis, name: string, shard: number): Promise<CheckLine> {
  return mayScript(redis, name, shard, ['INFO', 'replication']);
}

function mayPublish(redis: Redis, name: string, shard: number): Promise<CheckLine> {
  return mayScript(redis, name, shard, ['SPUBLISH', probeName(shard), '']);
}

async function mayScript(redis: Redis, name: string, shard: number, command: string[]): Promise<CheckLine> {
  try {
    await redis.eval('return redis.call(unpack(ARGV))', 1, probeName(shard), ...command);
    return ok(`${name}: scripts may call ${command[0]}`);
  } catch (cause) {
    return failed(`${name}: scripts may not call ${command[0]}`, cause as Error);
  }
}

async function permissions(redis: Redis, name: string, shard: number, isCluster: boolean): Promise<CheckLine> {
  const missing = await missingPermissions(redis, shard, isCluster);
  const [reason] = missing.values();
  return reason === undefined
    ? ok(`${name}: the user has all permissions that are needed`)
    : error(`${name}: the user lacks permissions for ${[...missing.keys()].join(', ')}: ${reason}`);
}

/**
 * Checks that this deployment was begun with our number of shards: with another one, every channel would be looked for
 * in another place.
 */
async function shardCount(redis: Redis, name: string, mayWrite: boolean): Promise<CheckLine> {
  try {
    let found = await redis.get(SHARD_COUNT_KEY);
    if (found === null && mayWrite) {
      await redis.set(SHARD_COUNT_KEY, SHARD_COUNT, 'NX');
      found = await redis.get(SHARD_COUNT_KEY);
    }
    if (found === null) return ok(`${name}: no deployment yet; it will have ${SHARD_COUNT} virtual shards`);
    if (found === String(SHARD_COUNT)) return ok(`${name}: ${SHARD_COUNT} virtual shards`);
    return error(`${name}: ${SHARD_COUNT_KEY} says ${found} virtual shards, this gateway has ${SHARD_COUNT}`);
  } catch (cause) {
    return failed(`${name}: ${SHARD_COUNT_KEY} cannot be used`, cause as Error);
  }
}

/** Recommends settings of one master with which a failure loses less. */
async function recommendations(redis: Redis, target: RedisTarget, name: string): Promise<CheckLine[]> {
  const info = parseInfo(await redis.info());
  const lines: CheckLine[] = [];
  const replicas = Number(info.get('connected_slaves') ?? 0);
  lines.push(
    info.get('aof_enabled') === '1'
      ? ok(`${name}: appendonly yes`)
      : advice(`${name}: appendonly is off; a restart loses what was published since the last snapshot`),
    replicas > 0
      ? ok(`${name}: ${replicas} replicas`)
      : advice(`${name}: no replicas; while it is down its channels are unavailable`),
    info.get('maxmemory') !== '0'
      ? ok(`${name}: maxmemory ${info.get('maxmemory_human')}`)
      : advice(`${name}: no maxmemory; with one, a full memory refuses publishes instead of ending Redis`),
  );
  if (target.kind !== 'cluster' && (await refusesSeveralSlots(redis))) {
    lines.push(
      advice(`${name}: refuses keys of several slots in one command; publishes go slot by slot, which is slower`),
    );
  }
  const settings = await configOf(redis).catch(() => undefined);
  if (!settings) return [...lines, advice(`${name}: CONFIG is not allowed; its settings were not looked at`)];
  if (replicas > 0) {
    lines.push(
      Number(settings.get('min-replicas-to-write')) > 0
        ? ok(`${name}: min-replicas-to-write ${settings.get('min-replicas-to-write')}`)
        : advice(
            `${name}: min-replicas-to-write is 0; a master cut off from the others goes on taking publishes that are lost`,
          ),
    );
  }
  const buffer = parseBufferLimit(settings.get('client-output-buffer-limit') ?? '')?.hardBytes ?? 0;
  lines.push(
    buffer === 0 || buffer >= ROOMY_PUBSUB_BUFFER_BYTES
      ? ok(`${name}: client-output-buffer-limit of pubsub`)
      : advice(
          `${name}: client-output-buffer-limit of pubsub is ${buffer} bytes; in bursts gateways are cut and repair themselves, 256mb 64mb 60 is calmer`,
        ),
  );
  if (target.kind === 'cluster') {
    lines.push(
      settings.get('cluster-require-full-coverage') === 'no'
        ? ok(`${name}: cluster-require-full-coverage no`)
        : advice(`${name}: cluster-require-full-coverage is yes; one dead shard stops all the others`),
    );
  }
  return lines;
}

/**
 * Whether commands with keys of several slots are refused. A proxy that shards inside shows that only when it is asked
 * for two shards at once.
 */
async function refusesSeveralSlots(redis: Redis): Promise<boolean> {
  return redis.eval('return 0', 2, probeName(0), probeName(1)).then(() => false, isCrossSlot);
}

async function configOf(redis: Redis): Promise<Map<string, string>> {
  const names = ['min-replicas-to-write', 'client-output-buffer-limit', 'cluster-require-full-coverage'];
  const flat = (await redis.config('GET', ...(names as [string, ...string[]]))) as string[];
  return new Map(flat.flatMap((value, i) => (i % 2 === 0 ? [[value, flat[i + 1] ?? '']] : [])));
}

/** A virtual shard that this master serves. */
function shardOn({ owners }: TopologyView, name: string): number | undefined {
  for (let shard = 0; shard < SHARD_COUNT; shard++) if (owners.get(slotOfShard(shard)) === name) return shard;
  return undefined;
}

function unservedShards({ owners }: TopologyView): number {
  return Array.from({ length: SHARD_COUNT }, (_, shard) => owners.has(slotOfShard(shard))).filter((has) => !has).length;
}

/** Finds out who the masters are. Rejects with one line if no server says so. */
async function discover(target: RedisTarget, clock: Clock): Promise<TopologyView> {
  let topology: Topology | undefined;
  try {
    return await within(
      clock,
      DISCOVERY_MS,
      'discovery',
      new Promise<TopologyView>((resolve) => {
        topology = createTopology(target, {
          clock,
          timings: POLL_TIMINGS,
          link: dataConnectionOptions(target),
          isHurried: () => true,
          onChange: resolve,
        });
        topology.start();
      }),
    );
  } catch (cause) {
    throw new Error(topology?.problem ?? (cause as Error).message, { cause });
  } finally {
    topology?.close();
  }
}
