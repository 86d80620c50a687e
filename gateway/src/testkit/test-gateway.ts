import {
  type ChannelName,
  type Client,
  type ClientOptions,
  createClient,
  type Position,
  type SocketFactory,
  type Untyped,
} from '@fanfare/client';
import { ERROR_CODES, type ErrorCode, type Payload } from '@fanfare/protocol';
import { RAW_DIALECTS, transcode } from '@fanfare/protocol/raw';
import type { ChannelPolicy } from '../namespaces.js';
import { audit } from './audit.js';
import { isDurableIn } from './declared.js';
import type { Faults, Who } from './faults.js';
import { observed, type Reading } from './readings.js';
import type { Storm, Target } from './storm.js';
import { TestClock } from './test-clock.js';
import { DEVELOPMENT, TestServer } from './test-server.js';
import type { Conditions, Intercept, TestLink } from './test-transport.js';
import { TestUsers } from './test-users.js';

/** Options of {@link createTestGateway}. */
export interface TestGatewayOptions<Map> {
  /**
   * The map of channels that `defineChannels` returned. Default: `live:*` is live, `demo:*` and names without a colon
   * are durable, and there are no other channels.
   */
  readonly channels?: Map;
  /** Seed of all random numbers. The same seed gives the same run. Default 1. */
  readonly seed?: number;
}

/** Options of a client of a test gateway: those of `createClient`, and who the client is. */
export interface TestClientOptions extends Partial<Omit<ClientOptions, 'url' | 'clock' | 'socket'>> {
  /** The user of the client, which gets tokens of this gateway. Default: it is anonymous. */
  readonly user?: string;
}

/** What can be published with a message. */
export interface TestPublishOptions {
  /** Idempotency key: of publishes with the same key only the first one is stored. */
  readonly key?: string;
  /** Labels that travel with the message. */
  readonly tags?: Readonly<Record<string, string>>;
  /** The user as whose message it is published. */
  readonly user?: string;
}

/** A real gateway in memory, without a network, on a clock that stands still until it is moved. */
export interface TestGateway<Map = Untyped> {
  /** Time of the gateway's clock, ms since the Unix epoch. */
  readonly now: number;
  /**
   * The sockets of this gateway, for a `createClient({ url: 'ws://test', socket, clock })` of your own. `client()` does
   * the same, and its subscriptions are audited.
   */
  readonly socket: SocketFactory;
  /** The clock of the gateway and its clients. */
  readonly clock: TestClock;
  /** Makes a client of this gateway on its clock. The client is connecting, and is connected after the next `run`. */
  client(options?: TestClientOptions): Client<Map>;
  /** Publishes as a backend does, at once. Returns the position; `undefined` on a live channel. */
  publish(channel: ChannelName<Map>, data: unknown, options?: TestPublishOptions): Position | undefined;
  /** What the log of a durable channel holds, oldest first, and where it ends: a snapshot can be made of it. */
  log(channel: ChannelName<Map>): {
    /** Positions and data, oldest first. */
    readonly messages: readonly (Position & { readonly data: unknown })[];
    /** Where the log ends. Its offset is 0 if nothing was published. */
    readonly head: Position;
  };
  /** Moves the clock, and lets promises settle between timers. */
  run(ms: number): Promise<void>;
  /** What can be done to the gateway, its network and its logs. */
  readonly faults: Faults;
  /** Ends all faults, and lets a minute pass. After that, every client that can be is connected and up to date. */
  calm(): Promise<void>;
  /**
   * Compares what the subscriptions of the clients were given with what the log holds. Call it after `calm()`.
   * @throws {Error} with the first difference
   */
  audit(): void;
  /** Closes the clients of this gateway. */
  close(): void;
}

/**
 * How long after the last fault all clients are back, ms: twice the longest pause of a client, and the time of an
 * attempt to connect.
 */
const CALM_MS = 60_000;

interface Disturbance extends Partial<Conditions> {
  readonly user: string | undefined;
  readonly untilMs: number;
}

/**
 * A gateway in memory, for tests of applications: the gateway's own code, without a network and a store. The same seed
 * gives the same run.
 */
export function createTestGateway<const Map extends object = Untyped>(
  options: TestGatewayOptions<Map> = {},
): TestGateway<Map> {
  return new InMemoryGateway<Map>(options);
}

/** A test gateway that is struck by faults while time passes. */
export function createStormyGateway<const Map extends object>(
  options: TestGatewayOptions<Map>,
  storm: Storm,
): TestGateway<Map> {
  return new InMemoryGateway<Map>(options, storm);
}

class InMemoryGateway<Map extends object> implements TestGateway<Map> {
  readonly clock: TestClock;
  readonly faults: Faults;
  readonly #channels: Map | undefined;
  readonly #users: TestUsers;
  readonly #server: TestServer;
  readonly #clients: Client[] = [];
  readonly #readings: Reading[] = [];
  readonly #links = new Set<{ readonly user: string | undefined; readonly link: TestLink }>();
  #disturbances: Disturbance[] = [];
  #refusals: { readonly type: string; readonly code: ErrorCode; times: number }[] = [];

  readonly #storm: Storm | undefined;
  /** Faults that should not happen in a gateway. */
  readonly #broken: Error[] = [];

  constructor({ channels, seed = 1 }: TestGatewayOptions<Map>, storm?: Storm) {
    this.#storm = storm;
    this.clock = new TestClock({ seed });
    this.#channels = channels;
    this.#users = new TestUsers(() => this.#refusalOf('connect'));
    this.#server = new TestServer({
      clock: this.clock,
      isDurable: channels ? isDurableIn(channels) : DEVELOPMENT,
      authenticator: this.#users,
      onFault: (message, cause) => void this.#broken.push(new Error(`a fault in the gateway: ${message}`, { cause })),
    });
    this.faults = this.#createFaults();
  }

  get now(): number {
    return this.clock.now();
  }

  readonly socket: SocketFactory = (request, handlers) => this.#open(undefined)(request, handlers);

  client({ user, ...options }: TestClientOptions = {}): Client<Map> {
    const client = createClient({
      url: 'ws://test',
      clock: this.clock,
      socket: this.#open(user),
      ...(user !== undefined && { token: async () => this.#users.issue(user) }),
      ...(this.#channels && { channels: this.#channels }),
      ...options,
    });
    this.#clients.push(client as Client);
    // Errors that a storm leads to are expected.
    if (this.#storm) client.on('error', () => {});
    client.connect();
    const name = user ?? `client ${this.#clients.length}`;
    return observed(client, name, this.#readings) as unknown as Client<Map>;
  }

  publish(channel: string, data: unknown, { key, tags, user }: TestPublishOptions = {}): Position | undefined {
    const payload = { format: 'json' as const, bytes: new TextEncoder().encode(JSON.stringify(data)) };
    const [outcome] = this.#server.log.publish(this.#policy(channel), [
      { payload, ...(key !== undefined && { key }), ...(tags && { tags }), ...(user !== undefined && { user }) },
    ]);
    if (outcome instanceof Error) throw outcome;
    return outcome?.position && wirePosition(outcome.position);
  }

  log(channel: string) {
    const { entries, head } = this.#server.log.view(this.#policy(channel));
    const messages = entries.map(({ payload, ...entry }) => ({ ...wirePosition(entry), data: dataOf(payload) }));
    return { messages, head: wirePosition(head) };
  }

  async run(ms: number): Promise<void> {
    if (this.#storm && !this.#storm.isOver) await this.#storm.pass(this.#target, ms);
    else await this.clock.run(ms);
    const [broken] = this.#broken;
    if (broken) throw broken;
  }

  async calm(): Promise<void> {
    if (this.#storm) this.#storm.isOver = true;
    this.#disturbances = [];
    this.#refusals = [];
    await this.run(CALM_MS);
  }

  audit(): void {
    audit(this.#readings, this.#server.log, (channel) => this.#server.namespaces.policy(channel));
  }

  close(): void {
    for (const client of this.#clients) client.close();
    this.#server.close();
  }

  get #target(): Target {
    const { faults, now, clock } = this;
    const users = [...new Set(this.#users.names)];
    return { faults, now, users, channels: this.#server.log.names, run: (ms) => clock.run(ms) };
  }

  #policy(channel: string): ChannelPolicy {
    const policy = this.#server.namespaces.policy(channel);
    if (policy === undefined) {
      const there = this.#channels
        ? Object.keys(this.#channels).join(', ')
        : 'demo:*, live:* and names without a colon';
      throw new Error(`there is no channel ${channel}, only ${there}: see the option channels of createTestGateway`);
    }
    return policy;
  }

  #open(user: string | undefined): SocketFactory {
    return ({ url, subprotocols }, handlers) => {
      const { pathname, search } = new URL(url);
      const entry: { user: string | undefined; link: TestLink } = {
        user,
        link: this.#server.open({
          request: {
            path: pathname,
            query: search.slice(1),
            subprotocols,
            header: () => '',
            remoteAddress: '127.0.0.1',
          },
          client: {
            onOpen: () => handlers.onOpen(),
            onMessage: (wire) => handlers.onMessage(wire),
            onClose: (code, reason) => {
              this.#links.delete(entry);
              handlers.onClose(code, reason);
            },
          },
          conditions: () => this.#conditionsOf(user),
          intercept: this.#intercept,
        }),
      };
      this.#links.add(entry);
      const { link } = entry;
      const letGo = (code: number, reason?: string) => {
        this.#links.delete(entry);
        link.letGo(code, reason);
      };
      return {
        send: (wire) => link.fromClient(wire),
        close: letGo,
        terminate: () => letGo(1006),
      };
    };
  }

  #conditionsOf(user: string | undefined): Conditions {
    const conditions = { isDark: false, isDown: false, bytesPerSecond: Number.POSITIVE_INFINITY };
    for (const { user: whose, untilMs, ...others } of this.#disturbances) {
      if (untilMs > this.now && (whose === undefined || whose === user)) Object.assign(conditions, others);
    }
    return conditions;
  }

  #disturb({ user, forMs = Number.POSITIVE_INFINITY }: Who, conditions: Partial<Conditions>): void {
    this.#disturbances = this.#disturbances.filter(({ untilMs }) => untilMs > this.now);
    this.#disturbances.push({ ...conditions, user, untilMs: this.now + forMs });
  }

  #createFaults(): Faults {
    return {
      cut: ({ user, forMs = 0 } = {}) => {
        if (forMs > 0) this.#disturb({ ...(user !== undefined && { user }), forMs }, { isDown: true });
        for (const one of this.#links) if (user === undefined || one.user === user) one.link.cut();
      },
      dark: (who = {}) => this.#disturb(who, { isDark: true }),
      slow: ({ bytesPerSecond, ...who }) => this.#disturb(who, { bytesPerSecond }),
      expire: (channel, keep) => this.#server.log.expire(this.#policy(channel), keep),
      failover: (channel, lost) => this.#server.failOver(this.#policy(channel), lost),
      refuse: ({ type, code, times = 1 }) => void this.#refusals.push({ type, code, times }),
      expireToken: (user) => {
        this.#users.expire(user);
        for (const session of [...this.#server.sessions.ofUser(user)]) session.close(4401, 'token_expired');
      },
      drain: (spreadMs) => {
        for (const session of [...this.#server.sessions]) {
          session.close(4000, JSON.stringify({ retryAfter: Math.floor(this.clock.random() * spreadMs) }));
        }
      },
    };
  }

  #refusalOf(type: string): ErrorCode | undefined {
    const rule = this.#refusals.find((one) => one.type === type && one.times > 0);
    if (rule) rule.times--;
    return rule?.code;
  }

  /** Refuses a command in the place of the gateway. */
  readonly #intercept: Intercept = (wire, link) => {
    if (this.#refusals.length === 0) return false;
    // Commands and errors look the same in every dialect of text.
    const dialect = typeof wire === 'string' ? RAW_DIALECTS.json : RAW_DIALECTS.msgpack;
    const { type, id } = dialect.decode(wire);
    const code = typeof type === 'string' && type !== 'connect' ? this.#refusalOf(type) : undefined;
    if (code === undefined) return false;
    const { retryable } = ERROR_CODES[code];
    const frame = dialect.encode({ type: 'error', id: Number(id), code, message: 'refused by the test', retryable });
    link.send(frame, typeof frame !== 'string');
    return true;
  };
}

function dataOf(payload: Payload): unknown {
  const { bytes } = transcode(payload, 'json');
  return RAW_DIALECTS.json.decode(`{"data":${new TextDecoder().decode(bytes)}}`).data;
}

function wirePosition({ epoch, offset }: { readonly epoch: number; readonly offset: number }): Position {
  return { epoch: String(epoch), offset };
}
