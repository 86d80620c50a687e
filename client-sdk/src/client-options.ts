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

/** Takes a line, and what a listener threw if the line is about that. */
type Log = (line: string, ...thrown: unknown[]) => void;

/** Options of `createClient`. Undefined stands for the default. */
export interface ClientOptions {
  /**
   * Where the gateway is: `ws:`, `wss:`, `http:` or `https:`; in a page, its frames and its workers also
   * relative to it. Without a path `/ws` is meant.
   */
  readonly url: string;
  /**
   * A JWT, or a function that fetches one. A function is called for every connection, and again
   * before the token expires. Default: none (anonymous).
   */
  readonly token?: Token | undefined;
  /**
   * How frames are written. Default `compactDialect`: JSON in which messages say no field names; with an older
   * gateway plain JSON. `jsonDialect` is easier to read in a browser's tools, `msgpackDialect` is in
   * `@fanfare/client/msgpack`.
   */
  readonly codec?: Dialect;
  /** Delays between attempts to connect and to subscribe. Default 500 ms doubling up to 20 s, full jitter. */
  readonly backoff?: Partial<BackoffOptions>;
  /** A connection that lasted this long makes the next delay a first one again, ms. Default 10 s. */
  readonly stableMs?: number;
  /** From the start of an attempt (first for a token, then for the link) to its failure, ms. Default 10 s. */
  readonly connectTimeoutMs?: number;
  /**
   * How long publishes and history requests may take, waiting for a connection included, ms. Those that
   * were sent by then go on while the gateway talks, and end when it was silent for this long. Default 20 s.
   */
  readonly requestTimeoutMs?: number;
  /** Silence of the gateway's ping interval and this means the link is dead, ms. Default 10 s. */
  readonly pingGraceMs?: number;
  /** Publishes and history requests that may wait or be open; more are refused. Default 10,000. */
  readonly maxPending?: number;
  /** Messages that may wait for a `for await` loop before its subscription pauses. Default 10,000. */
  readonly maxQueue?: number;
  /**
   * Gives every publish a random key (about 15 bytes, which subscribers see too), so that it can be
   * repeated after a lost connection without being stored twice. Default true. Live channels have no
   * log to hold keys: once known to be live, publishes there carry none and are never repeated.
   */
  readonly autoKey?: boolean;
  /**
   * Subscriptions without a position that are begun a second, and at once after a pause. Default 150:
   * the gateway's default `commandsPerSecond` (200) less its `publishesPerSecond` (50), so that joining
   * and publishing at once stays within both. Resumed ones are free for the gateway.
   */
  readonly joinsPerSecond?: number;
  /**
   * Where the schemas of `channels` are used: `both` (default) for what is published and what is read, `read`, or
   * `none`, for data that is trusted. What is read is then given as it comes.
   */
  readonly validate?: 'both' | 'read' | 'none';
  /**
   * Keeps the positions of subscriptions that have a name (`resumeAs`): `sessionPositions()`, `localPositions()` or
   * `customPositions(store)` of `@fanfare/client/positions`. Default: none, and names are refused.
   */
  readonly positions?: Positions | undefined;
  /**
   * Takes errors that nobody listens to, as one line that says where, what, and what happens next; of `handler_failed`
   * also what was thrown. Default: `console.error`. `false`: nobody.
   */
  readonly log?: Log | false;
  /** Name and version told to the gateway. Default `fanfare-js/0.1`. */
  readonly name?: string;
  /** Opens sockets. Default: the runtime's WebSocket; where there is none (Node 20) the `ws` package. */
  readonly socket?: SocketFactory;
  /** Default: the machine's. */
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
