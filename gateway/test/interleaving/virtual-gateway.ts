import { RAW_DIALECTS } from '@fanfare/protocol/raw';
import { createOpenAuthenticator } from '../../src/auth/open.js';
import type { Broker } from '../../src/broker/broker.js';
import type { LogRecord } from '../../src/broker/record.js';
import { createChannels } from '../../src/channels/channels.js';
import { Hub } from '../../src/hub/hub.js';
import type { HubOptions } from '../../src/hub/hub-options.js';
import { type NamespaceSettings, Namespaces } from '../../src/namespaces.js';
import { MemoryPresence } from '../../src/presence/memory/memory-presence.js';
import { Presence } from '../../src/presence/presence.js';
import { SessionPresence } from '../../src/presence/session-presence.js';
import { createAcceptor } from '../../src/session/acceptor.js';
import { createCommands } from '../../src/session/commands.js';
import { createFanfareConversation } from '../../src/session/fanfare/fanfare.js';
import { Sessions } from '../../src/session/sessions.js';
import { createStats, type Stats } from '../../src/stats.js';
import type { SocketSession } from '../../src/transport/transport.js';
import { FaultyBroker, type FaultyLog } from '../support/faulty-broker.js';
import { type ClientEnd, type NetworkOptions, type VirtualSocket, VirtualTransport } from './virtual-network.js';
import type { VirtualWorld } from './virtual-world.js';

const OPEN: NamespaceSettings = {
  durable: true,
  historySize: 1_000,
  historyTtlMs: 24 * 3_600_000,
  subscribe: 'anyone',
  publish: 'anyone',
  presence: false,
  maxMessageBytes: 65_536,
};

export const NAMESPACES = new Namespaces(
  new Map([
    ['', OPEN],
    ['live', { ...OPEN, durable: false }],
    // Publishing trims what somebody may still need.
    ['short', { ...OPEN, historySize: 4 }],
  ]),
);

const PING_INTERVAL_MS = 25_000;

export interface VirtualGatewayOptions {
  readonly network: NetworkOptions;
  readonly node: string;
  /** See {@link FaultyBroker}. */
  readonly readsApart: boolean;
  /** What this run does otherwise. */
  readonly hub: Partial<HubOptions>;
  /** Told of pushes that a listener of its broker does not get. */
  readonly onPushLost: (record: LogRecord) => void;
}

/** A real hub and real sessions on a virtual network and a broker that fails on command. */
export class VirtualGateway {
  readonly broker: FaultyBroker;
  readonly stats: Stats = createStats();
  readonly faults: string[] = [];
  readonly #readsApart: boolean;
  readonly #transport: VirtualTransport;
  readonly #hub: Hub;
  readonly #sessions: Sessions;
  readonly #accept: ReturnType<typeof createAcceptor>;

  constructor(
    world: VirtualWorld,
    log: FaultyLog,
    { network, node, readsApart, hub, onPushLost }: VirtualGatewayOptions,
  ) {
    this.broker = new FaultyBroker(log, world.schedule, readsApart);
    this.broker.onPushLost = onPushLost;
    this.#readsApart = readsApart;
    this.#transport = new VirtualTransport(world, network);
    const { broker, stats } = this;
    const onFault = (message: string, error?: unknown) => this.faults.push(`${message}: ${String(error)}`);
    this.#hub = new Hub({
      broker,
      transport: this.#transport,
      clock: world,
      stats,
      onFault,
      // Small enough that a short run reaches every border.
      options: {
        tailEntries: 4,
        tailBytes: 2_048,
        pageEntries: 3,
        pageBytes: 1_024,
        bufferRecords: 6,
        queueBytes: 150,
        allQueuesBytes: 300,
        lingerMs: 500,
        ...hub,
      },
    });
    const channels = createChannels({
      broker: { publish: this.#hub.publish, read: broker.read.bind(broker) },
      namespaces: NAMESPACES,
      stats,
      room: () => this.#hub.scheduler.room(),
      onFault,
    });
    const presence = new SessionPresence(
      new Presence({
        store: new MemoryPresence({ broker, clock: world }),
        scheduler: this.#hub.scheduler,
        clock: world,
        onFault,
      }),
      channels.access,
    );
    const unlimited = Number.POSITIVE_INFINITY;
    this.#sessions = new Sessions({
      services: {
        hub: this.#hub,
        authenticator: createOpenAuthenticator({ tokens: 'ignored' }),
        commands: createCommands({ channels, clock: world, presence, onFault }),
        listeners: [presence],
        clock: world,
        stats,
        limits: {
          commandsPerSecond: unlimited,
          bytesPerSecond: unlimited,
          publishesPerSecond: unlimited,
          subscriptions: unlimited,
        },
        onFault,
      },
      node,
      timings: { pingIntervalMs: PING_INTERVAL_MS, pongTimeoutMs: 10_000, connectTimeoutMs: 10_000, lagMs: 60_000 },
    });
    this.#accept = createAcceptor({
      sessions: this.#sessions,
      conversations: [
        createFanfareConversation({
          dialects: [RAW_DIALECTS.json, RAW_DIALECTS.compact, RAW_DIALECTS.msgpack],
          node,
          clock: world,
          stats,
          maxFrameBytes: 73_728,
          pingIntervalMs: PING_INTERVAL_MS,
          resumeGraceMs: 10_000,
          idempotencyMs: broker.idempotencyMs,
          onFault,
        }),
      ],
      isAllowedOrigin: () => true,
    });
  }

  /** What the audit found: the step rule and the repairs should leave nothing. */
  findings(): string[] {
    const { auditFindings, doubtFindings, pushGaps } = this.stats;
    // A head that overtakes pushes looks as if they were missing.
    const found = pushGaps + (this.#readsApart ? 0 : auditFindings + doubtFindings);
    return found > 0
      ? [
          `${found} times a channel was found behind its log (${pushGaps} gaps, ${auditFindings} audits, ${doubtFindings} doubts)`,
        ]
      : [];
  }

  /** As a client or a backend of this gateway does. */
  publish: Broker['publish'] = (...call) => this.#hub.publish(...call);

  connect(client: ClientEnd, subprotocols: readonly string[]): VirtualSocket {
    const result = this.#accept({
      path: '/ws',
      query: '',
      subprotocols,
      header: () => '',
      remoteAddress: '127.0.0.1',
    });
    if (!result.accept) throw new Error(result.body);
    return this.#transport.connect(client, (socket): SocketSession => result.session(socket));
  }

  /** The process dies. A new one is a new gateway. */
  kill(): void {
    this.#transport.kill();
    this.#sessions.close();
    void this.broker.close();
    void this.#hub.close();
  }

  cutAll(): void {
    this.#transport.kill();
  }
}
