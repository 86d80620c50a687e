import type { Dialect } from '@fanfare/protocol';
import { compactDialect } from '@fanfare/protocol/compact';
import type { BackoffOptions } from './backoff.js';
import { checkNumber } from './check-number.js';
import { type Clock, MAX_DELAY_MS, systemClock } from './clock.js';
import type { Token } from './connection.js';
import type { Positions } from './positions/named.js';
import { defaultSocket } from './transport/default-socket.js';
import type { SocketFactory } from './transport/socket.js';
import { checkUrl } from './url.js';

/** It is given a line, and what a listener threw if the line is about that. */
type Log = (line: string, ...thrown: unknown[]) => void;

/** What `createClient` is given. An option that is `undefined` has its default. */
export interface ClientOptions {
  /**
   * The address of the gateway, which begins with `ws:`, `wss:`, `http:` or `https:`. In a page, its frames and its
   * workers it may be relative to the page, too. Without a path `/ws` is meant.
   */
  readonly url: string;
  /**
   * A JWT, or a function that fetches one. A function is called for every connection, and again before the token
   * expires. The default is none, with which the client is anonymous.
   */
  readonly token?: Token | undefined;
  /**
   * How frames are written. The default is `compactDialect`, which is JSON in which messages say no field names, and
   * plain JSON with an older gateway. `jsonDialect` is easier to read in the tools of a browser. `msgpackDialect` is in
   * `@fanfare/client/msgpack`.
   */
  readonly codec?: Dialect;
  /**
   * The delays between attempts to connect and to subscribe, ms. The default begins with 500 and doubles up to 20,000,
   * and each delay is a random part of that.
   */
  readonly backoff?: Partial<BackoffOptions>;
  /** After a connection that lasted this long the delays begin anew, ms, from 1 on. The default is 10,000. */
  readonly stableMs?: number;
  /**
   * An attempt to connect may take so long before it has failed, ms, from 1 on: once to fetch the token, and once more to
   * make the link. The default is 10,000.
   */
  readonly connectTimeoutMs?: number;
  /**
   * Publishes and history requests may take so long with the wait for a connection, ms, from 1 on. Those that were sent
   * by then go on while the gateway talks, and end when it was silent for this long. The default is 20,000.
   */
  readonly requestTimeoutMs?: number;
  /**
   * The link counts as dead after the gateway was silent for its ping interval and so much longer, ms, from 0 on. The
   * default is 10,000.
   */
  readonly pingGraceMs?: number;
  /**
   * So many publishes and history requests may wait or be open, from 1 on, and more are refused with `limit_exceeded`.
   * The default is 10,000.
   */
  readonly maxPending?: number;
  /**
   * So many messages may wait for a `for await` loop before its subscription pauses, from 1 on. The default is 10,000.
   */
  readonly maxQueue?: number;
  /**
   * Whether every publish gets a random key, so that it can be repeated after a lost connection without being stored
   * twice. The default is true. A key has about 15 bytes, and subscribers see it too. Live channels have no log to hold
   * keys: once a channel is known to be live, publishes there carry none and are never repeated.
   */
  readonly autoKey?: boolean;
  /**
   * So many subscriptions without a position are begun in a second, and at once after a pause, from 1 on. The default is
   * 150, which is the gateway's default of `commandsPerSecond` (200) less its `publishesPerSecond` (50), so that joining
   * and publishing at once stays within both. Those that resume cost the gateway nothing, and do not count.
   */
  readonly joinsPerSecond?: number;
  /**
   * Where the schemas of `channels` are used. With `both`, the default, they check what is published and what is read,
   * and with `read` only that. `none` is for data that is trusted, which is then given as it comes.
   */
  readonly validate?: 'both' | 'read' | 'none';
  /**
   * What keeps the positions of subscriptions that have a name (`resumeAs`): `sessionPositions()`, `localPositions()` or
   * `customPositions(store)` of `@fanfare/client/positions`. The default is nothing, and names are refused.
   */
  readonly positions?: Positions | undefined;
  /**
   * A function that is given each error that nobody listens to, as one line that says where, what, and what happens
   * next. With `handler_failed` it is given what was thrown, too. The default is `console.error`. With `false` nobody is
   * told.
   */
  readonly log?: Log | false;
  /** The name and version that the gateway is told. The default is `fanfare-js/0.1`. */
  readonly name?: string;
  /**
   * What opens sockets. The default is `WebSocket` of the runtime, and where there is none, as in Node 20, the `ws`
   * package.
   */
  readonly socket?: SocketFactory;
  /** What tells the time and sets timers. The default is the clock of the machine. */
  readonly clock?: Clock;
}

export interface ResolvedOptions extends Required<Omit<ClientOptions, 'token' | 'backoff' | 'positions'>> {
  readonly token: Token | undefined;
  readonly positions: Positions | undefined;
  readonly backoff: BackoffOptions;
}

const DEFAULT_OPTIONS = {
  token: undefined,
  positions: undefined,
  codec: compactDialect,
  stableMs: 10_000,
  connectTimeoutMs: 10_000,
  requestTimeoutMs: 20_000,
  pingGraceMs: 10_000,
  maxPending: 10_000,
  maxQueue: 10_000,
  autoKey: true,
  joinsPerSecond: 150,
  validate: 'both',
  log: (...line) => console.error(...line),
  name: 'fanfare-js/0.1',
  socket: defaultSocket,
  clock: systemClock,
} as const satisfies Omit<ResolvedOptions, 'url' | 'backoff'>;

type Name = keyof typeof DEFAULT_OPTIONS;

const DEFAULT_BACKOFF: BackoffOptions = { baseMs: 500, maxMs: 20_000 };

/** @throws {FanfareClientError} `bad_request` naming the option that is wrong. */
export function resolveOptions(options: ClientOptions): ResolvedOptions {
  const backoff = { ...DEFAULT_BACKOFF, ...given(options.backoff ?? {}) };
  const resolved: ResolvedOptions = { ...DEFAULT_OPTIONS, ...given(options), url: checkUrl(options.url), backoff };
  // The numbers have no upper limit, and only `pingGraceMs` may be 0.
  for (const [name, usual] of Object.entries(DEFAULT_OPTIONS))
    if (typeof usual === 'number') checkNumber(name, resolved[name as Name], name === 'pingGraceMs' ? 0 : 1);
  for (const name of ['baseMs', 'maxMs'] as const) checkNumber(`backoff.${name}`, backoff[name], 1, MAX_DELAY_MS);
  return resolved;
}

/** Returns the options that are given. Undefined stands for the default, also if it is spelled out. */
function given<Options extends object>(options: Options): Options {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Options;
}
