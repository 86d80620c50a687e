import type { RedisOptions } from 'ioredis';

/** What `FANFARE_REDIS_URL` names. */
export type RedisTarget = StandaloneTarget | ClusterTarget | SentinelTarget;

export interface RedisAddress {
  readonly host: string;
  readonly port: number;
}

interface RedisCredentials {
  readonly username?: string;
  readonly password?: string;
  readonly tls: boolean;
}

/** One server: `redis://[user:password@]host[:6379][/db]`. */
export interface StandaloneTarget extends RedisCredentials {
  readonly kind: 'standalone';
  readonly node: RedisAddress;
  readonly db: number;
}

/** Some nodes of a Redis Cluster: `redis+cluster://[user:password@]host[:6379],host…`. The other nodes are found. */
export interface ClusterTarget extends RedisCredentials {
  readonly kind: 'cluster';
  readonly nodes: readonly RedisAddress[];
}

/**
 * The sentinels: `redis+sentinel://[user:password@]host[:26379],host…/master-name[/db]`. User and password are those of
 * the servers that hold data. If the sentinels want a user and password too, these follow as
 * `?sentinelUsername=user&sentinelPassword=password`.
 */
export interface SentinelTarget extends RedisCredentials {
  readonly kind: 'sentinel';
  readonly sentinelUsername?: string;
  readonly sentinelPassword?: string;
  readonly sentinels: readonly RedisAddress[];
  readonly masterName: string;
  readonly db: number;
}

const FORM = /^redis(s?)(\+cluster|\+sentinel)?:\/\/(?:(.*)@)?([^/?#@]+)(?:\/([^?#]*))?(?:\?([^#]*))?$/;

/**
 * Reads a Redis URL; `rediss` in place of `redis` is TLS. User and password are percent-decoded.
 * @throws {Error} one line that says what is wrong and never shows the password
 */
export function parseRedisUrl(url: string): RedisTarget {
  const match = FORM.exec(url);
  if (!match) {
    throw new Error(
      'the Redis URL must look like redis://host:port, redis+cluster://host:port,host:port or redis+sentinel://host:port,host:port/master-name',
    );
  }
  const [, secure, kind, userinfo, hosts = '', path = '', query = ''] = match;
  if (query !== '' && kind !== '+sentinel') throw new Error('only a redis+sentinel URL may have a ?');
  const credentials = { tls: secure === 's', ...parseUserinfo(userinfo) };
  if (kind === '+cluster') {
    if (path !== '' && path !== '0')
      throw new Error('a Redis Cluster has database 0 only; end the URL after the hosts');
    return { kind: 'cluster', nodes: parseAddresses(hosts, 6379), ...credentials };
  }
  if (kind === '+sentinel') {
    const [masterName = '', db = ''] = path.split('/');
    if (masterName === '')
      throw new Error('the Redis URL must end with the name of the master: redis+sentinel://host:port/master-name');
    const sentinels = parseAddresses(hosts, 26379);
    return {
      kind: 'sentinel',
      sentinels,
      masterName: decode(masterName),
      db: parseDb(db),
      ...credentials,
      ...parseSentinelLogin(query),
    };
  }
  const nodes = parseAddresses(hosts, 6379);
  if (nodes.length > 1)
    throw new Error('redis:// names one host; use redis+cluster:// or redis+sentinel:// for several');
  return { kind: 'standalone', node: nodes[0] as RedisAddress, db: parseDb(path), ...credentials };
}

/** The options of every connection to a server of this target that holds data. */
export function dataConnectionOptions(target: RedisTarget): RedisOptions {
  return {
    ...(target.username !== undefined && { username: target.username }),
    ...(target.password !== undefined && { password: target.password }),
    ...(target.tls && { tls: {} }),
    ...(target.kind !== 'cluster' && { db: target.db }),
  };
}

/** The options of every connection to the sentinels of this target. */
export function sentinelConnectionOptions({ tls, sentinelUsername, sentinelPassword }: SentinelTarget): RedisOptions {
  return {
    ...(sentinelUsername !== undefined && { username: sentinelUsername }),
    ...(sentinelPassword !== undefined && { password: sentinelPassword }),
    ...(tls && { tls: {} }),
  };
}

/** `host:port`, with brackets around an IPv6 host. */
export function formatAddress({ host, port }: RedisAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function parseUserinfo(userinfo: string | undefined): { username?: string; password?: string } {
  if (!userinfo) return {};
  const colon = userinfo.indexOf(':');
  const username = decode(colon < 0 ? userinfo : userinfo.slice(0, colon));
  const password = colon < 0 ? '' : decode(userinfo.slice(colon + 1));
  return { ...(username && { username }), ...(password && { password }) };
}

function parseSentinelLogin(query: string): Pick<SentinelTarget, 'sentinelUsername' | 'sentinelPassword'> {
  const login: { sentinelUsername?: string; sentinelPassword?: string } = {};
  for (const parameter of query === '' ? [] : query.split('&')) {
    const [name, value = ''] = parameter.split(/=(.*)/s);
    if (name !== 'sentinelUsername' && name !== 'sentinelPassword') {
      throw new Error('the Redis URL may have ?sentinelUsername=…&sentinelPassword=… at its end, and nothing else');
    }
    if (value !== '') login[name] = decode(value);
  }
  return login;
}

function parseAddresses(hosts: string, defaultPort: number): RedisAddress[] {
  return hosts.split(',').map((text) => {
    const match = /^(\[[^\]]+\]|[^:[\]\s]+)(?::(\d{1,5}))?$/.exec(text);
    const port = match?.[2] === undefined ? defaultPort : Number(match[2]);
    if (!match || port < 1 || port > 65535) throw new Error(`the Redis URL has an unusable host: ${text || '(empty)'}`);
    return { host: (match[1] as string).replace(/^\[|\]$/g, ''), port };
  });
}

function parseDb(text: string): number {
  if (!/^\d{0,5}$/.test(text)) throw new Error(`the Redis URL has an unusable database number: ${text}`);
  return Number(text);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Error('the Redis URL has a malformed percent-encoding');
  }
}
