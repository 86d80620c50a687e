import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Config, ConfigError, type ConfigInput, formatProblem, loadConfig } from './config.js';
import { describeConfig } from './print.js';
import { hideCredentials } from './secrets.js';
import { parseDuration } from './types.js';
import { warningsOf } from './warnings.js';

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'fanfare-config-'));
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

const load = (input: Partial<ConfigInput> = {}): Config => loadConfig({ argv: [], env: {}, cwd, ...input });
const file = (values: unknown, name = 'fanfare.config.json') => writeFileSync(join(cwd, name), JSON.stringify(values));
const production = { FANFARE_MODE: 'production', FANFARE_API_KEYS: 'k1' };

/** `path (source): message` of every problem. */
function problemsOf(input: Partial<ConfigInput>): string[] {
  try {
    load(input);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(formatProblem);
    throw error;
  }
  return [];
}

describe('where settings come from', () => {
  it('lets flags win over the environment, and the environment over the file', () => {
    file({ port: 1, host: 'file', logLevel: 'warn', limits: { subscriptions: 1, lagMs: '1s' } });
    const env = { FANFARE_PORT: '2', FANFARE_HOST: 'env', FANFARE_LIMIT_SUBSCRIPTIONS: '2' };
    const config = load({ argv: ['--port', '3', '--limit-subscriptions=3'], env });
    expect(config).toMatchObject({ port: 3, host: 'env', logLevel: 'warn', limits: { subscriptions: 3, lagMs: 1000 } });
  });

  it('honours PORT and REDIS_URL behind its own names, and takes an empty variable as not set', () => {
    expect(load({ env: { PORT: '81', REDIS_URL: 'redis://a' } })).toMatchObject({ port: 81, redisUrl: 'redis://a' });
    const env = { PORT: '81', FANFARE_PORT: '82', REDIS_URL: 'redis://a', FANFARE_REDIS_URL: 'redis://b' };
    expect(load({ env })).toMatchObject({ port: 82, redisUrl: 'redis://b' });
    expect(load({ env: { PORT: '81', FANFARE_PORT: '' } }).port).toBe(81);
  });

  it('reads the file that --config names, and says so when it is missing or no JSON object', () => {
    file({ port: 5 }, 'other.json');
    expect(load({ argv: ['--config', 'other.json'] }).port).toBe(5);
    expect(problemsOf({ argv: ['--config', 'none.json'] })).toEqual(['none.json: no such file']);
    writeFileSync(join(cwd, 'fanfare.config.json'), '{"port":');
    expect(problemsOf({})[0]).toMatch(/^fanfare\.config\.json: is not JSON: /);
    file([]);
    expect(problemsOf({})).toEqual(['fanfare.config.json: must hold one JSON object']);
  });

  it('takes no white space around a value for a part of it, and no byte order mark in the file', () => {
    writeFileSync(join(cwd, 'fanfare.config.json'), '\uFEFF{"port":7}');
    const env = { FANFARE_API_KEYS: 'secret\n', FANFARE_REDIS_URL: ' redis://:pw@a\r\n', FANFARE_NODE: '\n' };
    const config = load({ env, argv: ['--health-port', '81\n'] });
    expect(config.apiKeys).toMatchObject([{ key: 'secret' }]);
    expect(config).toMatchObject({ port: 7, redisUrl: 'redis://:pw@a', healthPort: 81 });
    expect(config.node).not.toBe('');
  });

  it('splits lists at commas', () => {
    const env = { FANFARE_API_KEYS: 'a, b,', FANFARE_ALLOWED_ORIGINS: 'https://a.example,https://*.b.example' };
    expect(load({ env })).toMatchObject({
      apiKeys: [
        { name: 'key-1', key: 'a' },
        { name: 'key-2', key: 'b' },
      ],
      allowedOrigins: ['https://a.example', 'https://*.b.example'],
    });
  });
});

describe('problems', () => {
  it('are all listed at once, each with its path and where the value came from', () => {
    file({
      host: '',
      prot: 1,
      workers: 1.5,
      namespaces: {
        chat: { durable: 'yes', history: { size: 0, ttl: '1 day' }, publish: 'all', colour: 'red' },
        'a:b': {},
      },
      limits: { subscriptions: -1, speed: 1 },
    });
    const env = { FANFARE_PORT: 'http', FANFARE_LIMIT_LAG_MS: 'long', FANFARE_MODE: 'prod', REDIS_URL: 'http://x' };
    const problems = problemsOf({ argv: ['--transport', 'tcp', '--colour', 'serve'], env });
    for (const start of [
      '--colour: unknown flag',
      'mode (FANFARE_MODE): expected one of development, production',
      'host (fanfare.config.json): expected a host name',
      'port (FANFARE_PORT): expected an integer from 0 to 65535',
      'redisUrl (REDIS_URL): the Redis URL must look like redis://',
      'transport (--transport): expected one of auto, uws, ws',
      'workers (fanfare.config.json): expected an integer from 1 to 256',
      'namespaces.chat.durable (fanfare.config.json): expected true or false',
      'namespaces.chat.history.size (fanfare.config.json): expected an integer from 1',
      'namespaces.chat.history.ttl (fanfare.config.json): expected a duration like "500ms"',
      'namespaces.chat.publish (fanfare.config.json): expected one of none, token, owner, authenticated, anyone, hook',
      'namespaces.chat.colour (fanfare.config.json): unknown setting',
      'namespaces.a:b (fanfare.config.json): a namespace is the part of a channel name before its first colon',
      'limits.subscriptions (fanfare.config.json): expected an integer from 0',
      'limits.lagMs (FANFARE_LIMIT_LAG_MS): expected a duration',
      'limits.speed (fanfare.config.json): unknown setting',
      'prot (fanfare.config.json): unknown setting',
    ]) {
      expect(
        problems.filter((one) => one.startsWith(start)),
        start,
      ).toHaveLength(1);
    }
  });

  it('of one setting hide none of another, nor what contradicts each other', () => {
    file({
      apiKeys: ['k'],
      limits: { subscriptions: -1, frameBytes: 10_000 },
      namespaces: { chat: { durable: 'yes', maxMessageBytes: 5_000 }, big: { presence: 1 } },
    });
    expect(problemsOf({ env: { FANFARE_LIMIT_MESSAGE_BYTES: '9000' } }).map((one) => one.split(' ')[0])).toEqual([
      'namespaces.chat.durable',
      'namespaces.big.presence',
      'limits.subscriptions',
      'limits.frameBytes',
    ]);
  });

  it('name nothing that follows only from a default in place of what was refused', () => {
    file({ port: 'http', healthPort: 8080, limits: { messageBytes: 'many', frameBytes: 10_000 } });
    expect(problemsOf({}).map((one) => one.split(' ')[0])).toEqual(['port', 'limits.messageBytes']);
  });

  it.each([
    ['redis://h:99999', 'unusable host: h:99999'],
    ['redis+cluster://h:x', 'unusable host: h:x'],
    ['redis+cluster://,', 'unusable host: (empty)'],
    ['redis+cluster://h:1/3', 'database 0 only'],
    ['redis://h/abc', 'unusable database number: abc'],
    ['redis+sentinel://h/m/x', 'unusable database number: x'],
  ])('name what is wrong with the Redis URL %s beside all else', (url, why) => {
    expect(problemsOf({ env: { FANFARE_REDIS_URL: url, FANFARE_PORT: 'x' } })).toEqual([
      expect.stringMatching(/^port /),
      expect.stringMatching(/^redisUrl \(FANFARE_REDIS_URL\): .*/),
    ]);
    expect(problemsOf({ env: { REDIS_URL: url } })[0]).toContain(why);
  });

  it('name a misspelt limit in the environment, and leave foreign variables alone', () => {
    expect(problemsOf({ env: { FANFARE_LIMIT_COMANDS: '5' } })).toEqual([
      'FANFARE_LIMIT_COMANDS (environment): unknown setting',
    ]);
    expect(problemsOf({ env: { FANFARE_SERVICE_HOST: '10.0.0.1' } })).toEqual([]);
  });

  it('name a flag without a value and a stray argument', () => {
    expect(problemsOf({ argv: ['extra', '--port'] })).toEqual(['extra: unexpected argument', '--port: needs a value']);
  });
});

describe('modes', () => {
  it('opens everything in development: demo and default durable, live live, key dev, no rate limits', () => {
    const config = load();
    expect(config).toMatchObject({
      mode: 'development',
      host: '127.0.0.1',
      port: 8080,
      apiKeys: [{ key: 'dev' }],
      workers: 1,
    });
    expect(config.namespaces.policy('demo:x')).toMatchObject({ durable: true, subscribe: 'anyone', publish: 'anyone' });
    expect(config.namespaces.policy('x')).toMatchObject({ durable: true, subscribe: 'anyone', publish: 'anyone' });
    expect(config.namespaces.policy('live:x')).toMatchObject({ durable: false, publish: 'anyone' });
    expect(config.namespaces.policy('chat:x')).toBeUndefined();
    expect(config.limits.commandsPerSecond).toBe(Infinity);
    expect(config.limits.subscriptions).toBe(1000);
  });

  it('takes production from NODE_ENV, unless FANFARE_MODE says otherwise', () => {
    expect(load({ env: { NODE_ENV: 'production', FANFARE_API_KEYS: 'k1' } }).mode).toBe('production');
    expect(load({ env: { NODE_ENV: 'production', FANFARE_MODE: 'development' } }).mode).toBe('development');
  });

  it('opens nothing in production', () => {
    const config = load({ env: production });
    expect(config).toMatchObject({ host: '0.0.0.0', allowedOrigins: [] });
    expect([...config.namespaceSettings.keys()]).toEqual(['']);
    expect(config.namespaces.policy('x')).toMatchObject({ durable: true, subscribe: 'token', publish: 'none' });
    expect(config.limits).toMatchObject({ commandsPerSecond: 200, publishesPerSecond: 50, bytesPerSecond: 524_288 });
  });

  it('refuses production without keys and with the key dev', () => {
    expect(problemsOf({ env: { FANFARE_MODE: 'production' } })[0]).toMatch(/^apiKeys: production needs/);
    expect(problemsOf({ env: { ...production, FANFARE_API_KEYS: 'k1,dev' } })).toEqual([
      'apiKeys (FANFARE_API_KEYS): production refuses the API key "dev"',
    ]);
  });

  it('refuses a production in which tokens could be made by others', () => {
    const problems = (env: Record<string, string>) => problemsOf({ env: { ...production, ...env } });
    expect(problems({ FANFARE_JWT_SECRET: 'x'.repeat(31) })).toEqual([
      'jwtSecret (FANFARE_JWT_SECRET): production needs a secret of at least 32 bytes: openssl rand -base64 48',
    ]);
    expect(problems({ FANFARE_JWT_SECRET: 'x'.repeat(32) })).toEqual([]);
    const jwks = { FANFARE_JWT_JWKS_URL: 'https://issuer.example/jwks.json' };
    expect(problems(jwks)).toEqual([expect.stringMatching(/^jwtAudience: production needs an audience/)]);
    expect(problems({ ...jwks, FANFARE_JWT_AUDIENCE: 'me' })).toEqual([]);
    expect(problems({ FANFARE_JWT_PUBLIC_KEY: 'nonsense' })).toEqual([
      'jwtPublicKey (FANFARE_JWT_PUBLIC_KEY): is neither PEM nor JSON',
    ]);
    expect(problems({ FANFARE_AUTH_HOOK_URL: 'ftp://x' })).toEqual([
      'auth.hook.url (FANFARE_AUTH_HOOK_URL): expected an http:// or https:// URL',
    ]);
    expect(problems({ FANFARE_AUTH_HOOK_URI: 'x' })).toEqual(['FANFARE_AUTH_HOOK_URI (environment): unknown setting']);
    expect(load({ env: { ...production, FANFARE_JWT_SECRET: 'x'.repeat(32) } }).allowAnonymous).toBe(false);
  });

  it('refuses a rule that asks nobody, and keys that cannot be told apart', () => {
    file({
      namespaces: { chat: { publish: 'hook', history: { access: 'hook' } } },
      apiKeys: [{ name: 'a', key: 'x', scopes: ['fly'] }, { key: 'a,b' }, 7],
    });
    expect(problemsOf({}).map((one) => one.replace(/ \(.*/, ''))).toEqual([
      'apiKeys.0.scopes.0',
      'apiKeys.1.key',
      'apiKeys.2',
      'namespaces.chat.publish',
      'namespaces.chat.history.access',
    ]);
    file({ apiKeys: [{ name: 'key-2', key: 'x' }, 'y'] });
    expect(problemsOf({})[0]).toContain('two keys have the same name');
  });

  it('warns in plain words of what starts and is probably not meant', () => {
    file({ namespaces: { news: { subscribe: 'anyone', publish: 'token' } }, apiKeys: [{ name: 'ci', key: 'short' }] });
    expect(warningsOf(load({ env: { FANFARE_MODE: 'production' } }))).toEqual([
      'the API key ci has less than 16 characters: it can be guessed',
      'anyone may subscribe to channels of the namespace news, without a token',
      'no client may publish to channels of the namespace news: give jwtSecret, jwtPublicKey, jwtJwksUrl or auth.hook.url',
    ]);
    expect(warningsOf(load({ env: { FANFARE_HOST: '0.0.0.0', FANFARE_API_KEYS: 'dev' } }))).toEqual([
      'development: anyone who reaches this port may publish',
    ]);
    expect(warningsOf(load())).toEqual([]);
  });

  it('refuses more than one worker with the memory broker only', () => {
    expect(problemsOf({ env: { FANFARE_WORKERS: '2' } })[0]).toMatch(/^workers \(FANFARE_WORKERS\): the memory broker/);
    expect(load({ env: { FANFARE_WORKERS: '2', REDIS_URL: 'redis://a' } }).workers).toBe(2);
    expect(problemsOf({ env: { FANFARE_WORKERS: '0' } })[0]).toMatch(/^workers/);
  });
});

describe('namespaces', () => {
  it('are closed where the file says nothing, in both modes, and keep the default namespace', () => {
    file({ namespaces: { chat: {} } });
    const config = load();
    expect(config.namespaces.policy('chat:1')).toEqual({
      name: 'chat:1',
      durable: true,
      historySize: 1000,
      historyTtlMs: 86_400_000,
      subscribe: 'token',
      publish: 'none',
      presence: false,
      maxMessageBytes: 65_536,
    });
    expect(config.namespaces.policy('x')).toMatchObject({ publish: 'anyone' });
    expect(config.namespaces.policy('demo:x')).toBeUndefined();
    expect(load({ env: production }).namespaces.policy('x')).toMatchObject({ publish: 'none' });
  });

  it('take what the file says, the default namespace by its empty name', () => {
    const history = { size: 10, ttl: '7d' };
    file({ namespaces: { '': { durable: false, subscribe: 'anyone', maxMessageBytes: 100, history } } });
    expect(load({ env: production }).namespaces.policy('x')).toMatchObject({
      durable: false,
      subscribe: 'anyone',
      historySize: 10,
      historyTtlMs: 7 * 86_400_000,
      maxMessageBytes: 100,
    });
  });
});

describe('limits', () => {
  it('are off at 0: endless, or as high as the transports go', () => {
    const limits = { commandsPerSecond: 0, subscriptions: 0, lagMs: 0, bufferedBytes: 0, frameBytes: 0 };
    file({ limits });
    expect(load({ env: production }).limits).toMatchObject({
      commandsPerSecond: Infinity,
      subscriptions: Infinity,
      lagMs: 2 ** 31 - 1,
      bufferedBytes: 2 ** 30,
      frameBytes: 2 ** 26,
    });
  });

  it('fit the largest message: frames and buffers follow it unless set', () => {
    file({ namespaces: { big: { maxMessageBytes: 2_000_000 } } });
    expect(load({ env: production }).limits).toMatchObject({
      frameBytes: 2_008_192,
      bufferedBytes: 2_008_192,
      messageBytes: 65_536,
    });
    expect(load().limits.frameBytes).toBe(2_008_192);
  });

  it('leave no default in the way of what was asked for', () => {
    const limitsOf = (env: Readonly<Record<string, string>>) => load({ env }).limits;
    const small = limitsOf({ FANFARE_LIMIT_FRAME_BYTES: '20000' });
    expect(small).toMatchObject({ frameBytes: 20_000, messageBytes: 11_808, bufferedBytes: 1_048_576 });
    expect(limitsOf({ FANFARE_LIMIT_FRAME_BYTES: '1000' })).toMatchObject({ frameBytes: 1000, messageBytes: 500 });
    expect(limitsOf({ FANFARE_LIMIT_BUFFERED_BYTES: '60000' })).toMatchObject({
      frameBytes: 60_000,
      messageBytes: 51_808,
      bufferedBytes: 60_000,
    });
    expect(limitsOf({ FANFARE_LIMIT_FRAME_BYTES: '2000000' })).toMatchObject({
      messageBytes: 65_536,
      bufferedBytes: 2_000_000,
    });
    file(describeConfig(load({ env: { FANFARE_LIMIT_FRAME_BYTES: '1000' } })));
    expect(load().limits.messageBytes).toBe(500);
  });

  it.each([
    [
      { frameBytes: 70_000, messageBytes: 65_536, bufferedBytes: 60_000 },
      ['limits.frameBytes', 'limits.bufferedBytes'],
    ],
    [{ frameBytes: 70_000, bufferedBytes: 60_000 }, ['limits.bufferedBytes']],
    [{ messageBytes: 65_536, bufferedBytes: 60_000 }, ['limits.bufferedBytes']],
    [{ messageBytes: 0, frameBytes: 1_000_000 }, ['limits.frameBytes']],
  ])('are refused where what was asked for contradicts itself: %j', (limits, paths) => {
    file({ limits });
    expect(problemsOf({}).map((one) => one.split(' ')[0])).toEqual(paths);
  });
});

it.each([
  ['500ms', 500],
  ['90s', 90_000],
  ['1.5m', 90_000],
  ['24h', 86_400_000],
  ['7d', 604_800_000],
  ['250', 250],
  [250, 250],
  ['1 day', undefined],
  ['-1s', undefined],
  ['', undefined],
  [-1, undefined],
])('reads the duration %j as %j ms', (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

describe('printing', () => {
  it('hides secrets and can be used as a file again', () => {
    const env = { ...production, FANFARE_REDIS_URL: 'redis://user:s3cret@h:1', FANFARE_API_KEYS: 'k1s3cret' };
    const printed = describeConfig(load({ env: { ...env, FANFARE_LIMIT_SUBSCRIPTIONS: '0' } }));
    const text = JSON.stringify(printed);
    expect(text).not.toContain('s3cret');
    expect(printed).toMatchObject({
      apiKeys: [{ name: 'key-1', key: '***' }],
      redisUrl: 'redis://***@h:1',
      limits: { subscriptions: 0 },
    });
    file(JSON.parse(text));
    expect(JSON.stringify(describeConfig(load()))).toBe(text);
  });

  it('hides credentials in any URL, even where that hides hosts', () => {
    expect(hideCredentials('redis+cluster://u:p@a:1,u:p@b:2')).toBe('redis+cluster://***@b:2');
    expect(hideCredentials('redis://:p,q:r@a:1/0?password=x')).toBe('redis://***@a:1/0?***');
  });
});
