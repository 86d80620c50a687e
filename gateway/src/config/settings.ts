/**
 * The table of all settings: each is declared here and nowhere else. Schema, flags, environment, `fanfare config`,
 * `--help`, the type `Config` and the tables of docs/CONFIGURATION.md follow from it (`node scripts/config-docs.mjs`
 * writes the latter). Settings that contradict each other are found in `checks.ts`.
 */
import { isChannelName } from '@fanfare/protocol';
import { z } from 'zod';
import { isOriginEntry } from '../auth/origin.js';
import { parsePublicKeys } from '../auth/public-keys.js';
import { parseRedisUrl } from '../redis/url.js';
import { parseSecret } from '../signature.js';
import { parseNetwork } from '../transport/client-address.js';
import { EVENT_TYPES } from '../webhooks/events.js';
import { apiKeys, plainKey } from './api-key-list.js';
import { NAMESPACE_SETTINGS } from './namespace-settings.js';
import { tableSchema } from './schema.js';
import { hide, hideCredentials } from './secrets.js';
import { type SaidOf, setting } from './setting.js';
import { FRAME_OVERHEAD_BYTES, MAX_BUFFERED_BYTES, MAX_FRAME_BYTES } from './sizes.js';
import { duration, integer, limit, list, oneOf, text, timeLimit, toggle } from './types.js';

/** Origins of pages of any development server on this machine. */
const DEVELOPMENT_ORIGINS = ['http://localhost:*', 'http://127.0.0.1:*'];

const ORIGIN = 'an origin like https://app.example.com, with * for a part of the host or for the port';
const origin = text(ORIGIN, (entry) => {
  if (!isOriginEntry(entry)) throw new Error(`expected ${ORIGIN}`);
});

const NETWORK = 'an address or network like 10.0.0.1 or 10.0.0.0/8';
const network = text(NETWORK, (entry) => {
  if (!parseNetwork(entry)) throw new Error(`expected ${NETWORK}`);
});

const HTTP_URL = (url: string) => {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw new Error('expected an http:// or https:// URL');
};

const namespaceName = z.string().refine((name) => name === '' || (isChannelName(name) && !name.includes(':')), {
  error: 'a namespace is the part of a channel name before its first colon',
});

export const SETTINGS = {
  mode: setting(oneOf('development', 'production'), '`development` or `production`', {
    derived: '`development`; `production` where `NODE_ENV` says so',
  }),
  host: setting(text('a host name or address'), 'address to listen on', { perMode: ['127.0.0.1', '0.0.0.0'] }),
  port: setting(integer(0, 65_535), 'port to listen on; 0 takes a free one and logs it', {
    default: 8080,
    also: ['PORT'],
  }),
  healthPort: setting(
    integer(0, 65_535),
    'port on which `/health/*` and `/metrics` are served instead of on `port`; 0 takes a free one',
  ),
  node: setting(
    text('1 to 64 letters, digits or . _ : -', /^[\w.:-]{1,64}$/),
    'name of this gateway in logs, metrics and `connected`; unique among all',
    { derived: 'host name and a random suffix' },
  ),
  redisUrl: setting(
    text('a URL', parseRedisUrl),
    '`redis://`, `rediss://`, `redis+cluster://h:p,h:p` or `redis+sentinel://h:p,h:p/master-name`; none: the memory broker, where everything lives and ends with the process',
    { also: ['REDIS_URL'], show: hideCredentials },
  ),
  redisAtStart: setting(
    oneOf('wait', 'exit'),
    'what a gateway does whose Redis is away when it starts: `wait` for it, and say so in the log and in `/health/ready`, or `exit` with 1',
    { default: 'wait' },
  ),
  apiKeys: setting(
    apiKeys,
    'keys of the HTTP API, each 1 to 256 visible ASCII characters without a comma; in the file also objects with `name`, `key`, `scopes` (`publish`, `read`, `admin`; without: all) and `channels` (patterns; without: all); several let you change one without an outage',
    { perMode: [[plainKey('dev', 0)], []], show: (keys) => keys.map((one) => ({ ...one, key: hide(one.key) })) },
  ),
  jwtSecret: setting(text('a secret'), 'verifies tokens of HS256; at least 32 bytes', { show: hide }),
  jwtPreviousSecret: setting(text('a secret'), 'the one before `jwtSecret`, while its tokens still hold', {
    show: hide,
  }),
  jwtPublicKey: setting(
    text('public keys', parsePublicKeys),
    'verifies tokens of RS256, ES256 or EdDSA: PEM (one or several, `\\n` for line breaks), JWK or JWKS',
  ),
  jwtJwksUrl: setting(
    text('an http:// or https:// URL', HTTP_URL),
    'where the keys for RS256, ES256 and EdDSA are found',
  ),
  jwtIssuer: setting(text('an issuer'), 'what the claim `iss` of a token has to be'),
  jwtAudience: setting(
    text('an audience'),
    "what the claim `aud` of a token has to be or to name; production wants one with `jwtJwksUrl`, so that another application's tokens do not open this one",
  ),
  jwtClockToleranceMs: setting(duration(0, 3_600_000), 'how far the clock of who makes tokens may be from this one', {
    default: 5_000,
  }),
  allowAnonymous: setting(toggle(), 'whether clients may connect without a token', {
    derived: '`true`; `false` where tokens are verified and no namespace is open to `anyone`',
  }),
  auth: {
    hook: {
      url: setting(
        text('an http:// or https:// URL', HTTP_URL),
        'asked who a client is (unless tokens are verified here), and what a namespace says `hook` to',
      ),
      secret: setting(text('a secret'), 'signs the questions, as Standard Webhooks are', { show: hide }),
      timeoutMs: setting(duration(100, 60_000), 'for one answer', { default: 3_000 }),
      cacheMs: setting(
        duration(0, 3_600_000),
        'how long answers about channels are kept where they do not say so themselves; those about connections and messages are not kept',
        { default: 10_000 },
      ),
    },
  },
  transport: setting(
    oneOf('auto', 'uws', 'ws'),
    '`uws` (uWebSockets.js), `ws` (plain Node, slower) or `auto`: the first that loads',
    { default: 'auto' },
  ),
  workers: setting(integer(1, 256), 'gateway processes on the port; more than one needs Redis', { default: 1 }),
  stopDelayMs: setting(
    duration(0, 3_600_000),
    'how long a gateway that was told to stop still takes new connections and requests, while `/health/ready` says that it stops: time for balancers to notice',
    { perMode: [0, 5_000] },
  ),
  drainMs: setting(
    duration(0, 3_600_000),
    'over how long the clients of a gateway that stops are told to come back elsewhere, spread evenly; the gateway itself ends as soon as they have left',
    { perMode: [2_000, 20_000] },
  ),
  logLevel: setting(
    oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
    '`trace`, `debug`, `info`, `warn`, `error`, `fatal` or `silent`',
    { default: 'info' },
  ),
  allowedOrigins: setting(
    list(origin, 'origins'),
    "origins of web pages that may connect and use the HTTP API: `https://app.example.com`, with `*` for a part of the host or for the port (`https://*.example.com`), of programs (`capacitor://localhost`, `chrome-extension://*`, `file://`), `null`, or `*` for all; compared in normal form; the gateway's own origin and clients that are no browser always may",
    { perMode: [DEVELOPMENT_ORIGINS, []] },
  ),
  trustedProxies: setting(
    list(network, 'addresses and networks'),
    'addresses and networks (`10.0.0.0/8`) of the proxies in front, whose `X-Forwarded-For` is believed: the address of a client is the last one in it that is not theirs; from anybody else it is ignored',
    { perMode: [[], []] },
  ),
  tls: {
    cert: setting(
      text('the path of a PEM file'),
      'file with the certificate (PEM, those that signed it behind it) with which `port` speaks TLS: `https`, `wss`; none: TLS ends in front, or nowhere',
    ),
    key: setting(text('the path of a PEM file'), 'file with its private key (PEM, not encrypted)'),
    checkMs: setting(
      duration(100, 3_600_000),
      'how often it is looked whether the two files have changed; new connections then get the new certificate, and nobody is cut off',
      { default: 10_000 },
    ),
  },
  namespaces: setting(
    {
      schema: z.record(namespaceName, tableSchema(NAMESPACE_SETTINGS), { error: 'expected an object' }),
      fromText: (value) => value,
    },
    'rules for channels by what stands before the first `:` of their names',
    { isInFileOnly: true, derived: 'as the mode says' },
  ),
  presence: {
    graceMs: setting(timeLimit(), 'how long a user whose connection broke still counts as present', { default: 5_000 }),
    leaseMs: setting(
      integer(3_000, 600_000, 'ms'),
      'after which the members of a gateway that is gone leave, at the latest 10 s later',
      {
        default: 15_000,
      },
    ),
  },
  tracing: setting(
    toggle(),
    'whether publishes are OpenTelemetry spans; wants the package `@opentelemetry/api` beside the gateway, and an SDK that is registered before it starts (by `NODE_OPTIONS`)',
    { default: false },
  ),
  recordedEvents: setting(
    integer(0, 10_000_000),
    'how many events (messages sent and replayed, clients that come and go) the gateway remembers for `fanfare why`, each in some 60 bytes; the oldest are forgotten first. 0: none',
    { default: 65_536 },
  ),
  probe: {
    intervalMs: setting(
      duration(0, 3_600_000),
      'how often the gateway publishes a message to a channel of its own, on each part of the broker, and reads it back; `/health/ready` tells where several in a row do not come back. 0: never',
      { default: 5_000 },
    ),
    timeoutMs: setting(duration(100, 600_000), 'how long such a message may take', { default: 10_000 }),
  },
  webhooks: {
    url: setting(
      text('an http:// or https:// URL', /^https?:\/\/\S+$/i),
      'where the application is told what happens, as docs/WEBHOOKS.md says; none: nobody is',
      { show: hideCredentials },
    ),
    secret: setting(
      list(
        text('whsec_ and 24 to 64 random bytes in Base64', (value) => void parseSecret(value)),
        'secrets',
      ),
      'what webhooks are signed with: `whsec_` and 24 to 64 random bytes in Base64; several while you change it',
      { default: [], show: (secrets) => secrets.map(hide) },
    ),
    events: setting(
      list(oneOf(...EVENT_TYPES), 'event types'),
      `which events are told: ${EVENT_TYPES.map((type) => `\`${type}\``).join(', ')}`,
      { default: EVENT_TYPES.filter((type) => type !== 'message.published') },
    ),
    timeoutMs: setting(duration(100, 60_000), 'how long the application has to answer', { default: 10_000 }),
    maxQueued: setting(
      integer(100, 1_000_000),
      'events that wait in a shard, about, before the oldest are lost (all of them together on the memory broker)',
      { default: 10_000 },
    ),
  },
  limits: {
    commandsPerSecond: setting(limit(1_000_000), 'commands of a connection, a second', { perMode: [0, 200] }),
    bytesPerSecond: setting(limit(2 ** 40, { unit: 'bytes' }), 'bytes from a connection, a second', {
      perMode: [0, 512 * 1024],
    }),
    publishesPerSecond: setting(limit(1_000_000), 'publishes of a connection, a second', { perMode: [0, 50] }),
    subscriptions: setting(limit(10_000_000), 'channels a connection may be on', { default: 1000 }),
    frameBytes: setting(
      limit(MAX_FRAME_BYTES, { unit: 'bytes', off: MAX_FRAME_BYTES }),
      'largest frame from a client: `maxFrame` of the protocol',
      { derived: 'the largest message + 8 KiB, or `bufferedBytes` if smaller' },
    ),
    messageBytes: setting(
      limit(MAX_FRAME_BYTES - FRAME_OVERHEAD_BYTES, { unit: 'bytes', off: MAX_FRAME_BYTES - FRAME_OVERHEAD_BYTES }),
      'largest payload, where a namespace says nothing else',
      { derived: '`65536` bytes, or what smaller frames hold' },
    ),
    bufferedBytes: setting(
      limit(MAX_BUFFERED_BYTES, { unit: 'bytes', off: MAX_BUFFERED_BYTES }),
      'most unsent bytes of a connection in the gateway',
      { derived: '`1048576` bytes, or `frameBytes` if larger' },
    ),
    lagMs: setting(timeLimit(), 'how long a connection may stay behind', { default: 60_000 }),
    connections: setting(limit(10_000_000), 'connections of a gateway process', { perMode: [0, 100_000] }),
    connectionsPerIp: setting(
      limit(10_000_000),
      'connections of one address to a gateway process; behind a proxy name it in `trustedProxies`, else all have its address',
      { perMode: [0, 10_000] },
    ),
    connectionsPerUser: setting(limit(10_000_000), 'connections of one user to a gateway process', {
      perMode: [0, 100],
    }),
    connectsPerSecond: setting(limit(1_000_000), 'new connections of a gateway process, a second', {
      perMode: [0, 2_000],
    }),
    channelsPerSecond: setting(
      limit(1_000_000),
      'channels that become alive on a gateway process, a second, beside the first few that each connection asks for',
      { perMode: [0, 2_000] },
    ),
    pendingConnections: setting(
      limit(10_000_000),
      'connections of a gateway process that have not said `connect` yet; beyond it the one that has waited longest is closed',
      { default: 10_000 },
    ),
    httpHeadMs: setting(
      timeLimit(),
      'how long the head of an HTTP request, and the TLS handshake before it, may take; `uws` has a limit of its own, 10 to 12 s',
      { default: 10_000 },
    ),
    httpRequestMs: setting(
      timeLimit(),
      'how long an HTTP request may take to come whole; `uws` besides ends a sender that stands still for 10 s, or sends less than 16 KiB a second',
      { default: 30_000 },
    ),
    commandsPerSecondPerUser: setting(
      limit(1_000_000),
      'commands of all connections of a user to a gateway process, a second',
      { perMode: [0, 1_000] },
    ),
    publishesPerSecondPerUser: setting(
      limit(1_000_000),
      'publishes of all connections of a user to a gateway process, a second',
      { perMode: [0, 100] },
    ),
    publishesPerSecondPerKey: setting(
      limit(10_000_000),
      'messages published by HTTP with one API key to a gateway process, a second',
      { default: 0 },
    ),
  },
};

/** What flags, environment and file say, as values of the settings. No defaults are filled in. */
export type Said = SaidOf<typeof SETTINGS>;
