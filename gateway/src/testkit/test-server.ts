/** The gateway of a test: everything that a real gateway has, except the network, the store and the HTTP API. */

import { namespaceOf } from '@fanfare/protocol';
import { RAW_DIALECTS } from '@fanfare/protocol/raw';
import type { Authenticator } from '../auth/authenticator.js';
import type { Broker, ChannelListener } from '../broker/broker.js';
import { createMemoryBroker } from '../broker/memory/memory-broker.js';
import { createChannels } from '../channels/channels.js';
import type { Clock } from '../clock.js';
import { Hub } from '../hub/hub.js';
import { type ChannelPolicy, type NamespaceSettings, Namespaces } from '../namespaces.js';
import { MemoryPresence } from '../presence/memory/memory-presence.js';
import { Presence } from '../presence/presence.js';
import { SessionPresence } from '../presence/session-presence.js';
import { createAcceptor } from '../session/acceptor.js';
import { createCommands } from '../session/commands.js';
import { createFanfareConversation } from '../session/fanfare/fanfare.js';
import { Sessions } from '../session/sessions.js';
import { createStats } from '../stats.js';
import type { UpgradeRequest } from '../transport/transport.js';
import { TestLog } from './test-log.js';
import { type TestLink, type TestLinkOptions, TestTransport } from './test-transport.js';

/** Whether a channel has a log; `undefined`: there is no such channel. */
export type IsDurable = (channel: string) => boolean | undefined;

interface TestServerOptions {
  readonly clock: Clock;
  readonly isDurable: IsDurable;
  readonly authenticator: Authenticator;
  /** Called with faults that should not happen in a gateway. */
  readonly onFault: (message: string, error?: unknown) => void;
}

const NODE = 'test';
const PING_INTERVAL_MS = 25_000;
const MAX_MESSAGE_BYTES = 65_536;
const MAX_FRAME_BYTES = MAX_MESSAGE_BYTES + 8_192;
const UNLIMITED = Number.POSITIVE_INFINITY;

/** Settings with which everybody may do everything, as tests of clients want it. */
const OPEN: Omit<NamespaceSettings, 'durable'> = {
  historySize: 1_000,
  historyTtlMs: 24 * 3_600_000,
  subscribe: 'anyone',
  publish: 'anyone',
  presence: true,
  maxMessageBytes: MAX_MESSAGE_BYTES,
};

/** The channels of the map that the application gave, whatever their namespaces. */
class DeclaredChannels extends Namespaces {
  readonly #isDurable: IsDurable;

  constructor(isDurable: IsDurable) {
    super(new Map([['', { ...OPEN, durable: true }]]));
    this.#isDurable = isDurable;
  }

  override policy(name: string): ChannelPolicy | undefined {
    const durable = this.#isDurable(name);
    return durable === undefined ? undefined : { ...OPEN, name, durable };
  }
}

export class TestServer {
  readonly log: TestLog;
  readonly namespaces: Namespaces;
  readonly transport: TestTransport;
  readonly sessions: Sessions;
  readonly #listeners = new Map<string, ChannelListener>();
  readonly #accept: ReturnType<typeof createAcceptor>;
  readonly #hub: Hub;
  readonly #broker: Broker;
  readonly #presence: Presence;

  constructor({ clock, isDurable, authenticator, onFault }: TestServerOptions) {
    const stats = createStats();
    this.log = new TestLog({ clock });
    this.namespaces = new DeclaredChannels(isDurable);
    this.transport = new TestTransport(clock, 4 * MAX_FRAME_BYTES);
    this.#broker = this.#watched(createMemoryBroker({ log: this.log }));
    this.#hub = new Hub({
      broker: this.#broker,
      transport: this.transport,
      clock,
      stats,
      // The hub remembers next to nothing by itself, so that what the log has forgotten is gone.
      options: { tailEntries: 1, lingerMs: 0 },
      findMembership: (session, channel) => this.sessions.get(session)?.memberships.on(channel),
      onFault,
    });
    const { scheduler } = this.#hub;
    const channels = createChannels({
      broker: { publish: this.#hub.publish, read: this.#broker.read },
      namespaces: this.namespaces,
      stats,
      room: () => scheduler.room(),
      onFault,
    });
    this.#presence = new Presence({
      store: new MemoryPresence({ broker: this.#broker, clock }),
      scheduler,
      clock,
      onFault,
    });
    const presence = new SessionPresence(this.#presence, channels.access);
    this.sessions = new Sessions({
      services: {
        hub: this.#hub,
        authenticator,
        commands: createCommands({ channels, clock, presence, onFault }),
        listeners: [presence],
        clock,
        stats,
        limits: {
          commandsPerSecond: UNLIMITED,
          bytesPerSecond: UNLIMITED,
          publishesPerSecond: UNLIMITED,
          subscriptions: UNLIMITED,
        },
        onFault,
      },
      node: NODE,
      timings: { pingIntervalMs: PING_INTERVAL_MS, pongTimeoutMs: 10_000, connectTimeoutMs: 10_000, lagMs: 60_000 },
    });
    const conversation = createFanfareConversation({
      dialects: [RAW_DIALECTS.json, RAW_DIALECTS.compact, RAW_DIALECTS.msgpack],
      node: NODE,
      clock,
      stats,
      maxFrameBytes: MAX_FRAME_BYTES,
      pingIntervalMs: PING_INTERVAL_MS,
      resumeGraceMs: 10_000,
      idempotencyMs: this.log.idempotencyMs,
      onFault,
    });
    this.#accept = createAcceptor({
      sessions: this.sessions,
      conversations: [conversation],
      isAllowedOrigin: () => true,
    });
  }

  open(options: Omit<TestLinkOptions, 'transport' | 'accept'>): TestLink {
    return this.transport.open({ ...options, accept: (request: UpgradeRequest) => this.#accept(request) });
  }

  /** Lets a replica take over, in the way in which a gateway notices it: its link to the log is lost and comes back. */
  failOver(channel: ChannelPolicy, lost: number): void {
    const listener = this.#listeners.get(channel.name);
    listener?.onInterrupted();
    this.log.failOver(channel, lost);
    listener?.onResumed();
  }

  /** Stops its timers. */
  close(): void {
    this.sessions.close();
    this.#presence.close();
    void this.#hub.close();
    void this.#broker.close();
  }

  /** The broker, which remembers the listeners, so that they can be told of accidents. */
  #watched(broker: Broker): Broker {
    return {
      ...broker,
      subscribe: async (channel, listener) => {
        this.#listeners.set(channel.name, listener);
        const subscription = await broker.subscribe(channel, listener);
        const unsubscribe = () => {
          if (this.#listeners.get(channel.name) === listener) this.#listeners.delete(channel.name);
          return subscription.unsubscribe();
        };
        return { ...subscription, unsubscribe };
      },
    };
  }
}

/** The channels without a map: those of a gateway in development. */
export const DEVELOPMENT: IsDurable = (channel) => {
  const namespace = namespaceOf(channel);
  return ['', 'demo', 'live'].includes(namespace) ? namespace !== 'live' : undefined;
};
