/** Publishes messages to a channel, whoever asks: access, size, the broker, backpressure, outcomes. */
import type { Payload, ReplicasWanted } from '@fanfare/protocol';
import type { Broker, Published } from '../broker/broker.js';
import type { NewMessage } from '../broker/record.js';
import { FanfareError, toFanfareError } from '../errors.js';
import type { ChannelPolicy } from '../namespaces.js';
import type { Caller, ChannelAccess, Decision, PermittedMessage } from './access.js';

/** What became of one message: its place in the log, or the error with which the publisher is answered. */
export type PublishOutcome = Published | FanfareError;

/**
 * Is called with every message that was handed to the broker, once its outcome is known. It must not throw, and must
 * not wait.
 */
export type PublishListener = (event: PublishEvent) => void;

export interface PublishEvent {
  readonly caller: Caller;
  readonly channel: ChannelPolicy;
  /** The message. It must not be changed, since the bytes of its payload belong to the broker. */
  readonly message: NewMessage;
  readonly outcome: PublishOutcome;
}

interface PublishingOptions {
  readonly access: ChannelAccess;
  readonly broker: Pick<Broker, 'publish'>;
  /**
   * `undefined` while this gateway sends as fast as messages are published to it. Otherwise a promise, and publishers
   * are answered once it resolves.
   */
  readonly room: () => Promise<void> | undefined;
  /** Counters, webhooks and other listeners. They are called in this order. */
  readonly listeners: readonly PublishListener[];
  /** Called with faults that should not happen. */
  readonly onFault: (message: string, error?: unknown) => void;
}

export class Publishing {
  readonly #access: ChannelAccess;
  readonly #broker: Pick<Broker, 'publish'>;
  readonly #room: PublishingOptions['room'];
  readonly #listeners: readonly PublishListener[];
  readonly #onFault: PublishingOptions['onFault'];

  constructor({ access, broker, room, listeners, onFault }: PublishingOptions) {
    this.#access = access;
    this.#broker = broker;
    this.#room = room;
    this.#listeners = listeners;
    this.#onFault = onFault;
  }

  /** The channel if a backend may publish to it, otherwise the error with which it is answered. */
  decide(caller: Caller, name: string): Decision {
    return this.#access.decide(caller, 'publish', name);
  }

  /**
   * The message of a client as it may be published. Where the namespace says so, the application is asked, which may
   * change the message. Without that the answer is there at once.
   * @throws {FanfareError} if it may not be published, if it is too large, or if the application does not answer
   */
  permit(caller: Caller, name: string, message: NewMessage): PermittedMessage | Promise<PermittedMessage> {
    const decision = this.#access.permitMessage(caller, name, message);
    return decision instanceof Promise ? decision.then(fitting) : fitting(decision);
  }

  /**
   * Publishes messages that {@link decide} and {@link oversize} have let through, by one call of the broker, which
   * keeps their order. Never rejects: each message has an outcome of its own, in the order given.
   * @param replicas which replicas all of the messages wait for; default: none
   */
  publish(
    caller: Caller,
    channel: ChannelPolicy,
    messages: readonly NewMessage[],
    replicas?: ReplicasWanted,
  ): Promise<readonly PublishOutcome[]> {
    const settle = (outcomes: readonly (Published | Error | undefined)[]) =>
      messages.map((message, index) => this.#settle(caller, channel, message, outcomes[index]));
    return this.#broker.publish(channel, messages, replicas === undefined ? undefined : { replicas }).then(
      (outcomes) => {
        // Publishers that are faster than this gateway can send are answered later.
        const room = this.#room();
        return room ? room.then(() => settle(outcomes)) : settle(outcomes);
      },
      (error: Error) => settle(messages.map(() => error)),
    );
  }

  #settle(
    caller: Caller,
    channel: ChannelPolicy,
    message: NewMessage,
    given: Published | Error | undefined,
  ): PublishOutcome {
    const outcome = given === undefined || given instanceof Error ? this.#toFailure(given) : given;
    for (const listener of this.#listeners) listener({ caller, channel, message, outcome });
    return outcome;
  }

  #toFailure(error = new Error('the broker gave no outcome')): FanfareError {
    const failure = toFanfareError(error);
    if (failure.code === 'internal') this.#onFault('publish failed', failure.cause);
    return failure;
  }
}

/** @throws {FanfareError} if the message may not be published, or is too large. */
function fitting(decision: PermittedMessage | FanfareError): PermittedMessage {
  if (decision instanceof FanfareError) throw decision;
  const tooLarge = oversize(decision.channel, decision.message.payload);
  if (tooLarge) throw tooLarge;
  return decision;
}

/** The error for a payload that is larger than the channel takes; `undefined` if it is not. */
export function oversize(channel: ChannelPolicy, payload: Payload): FanfareError | undefined {
  const { length } = payload.bytes;
  if (length <= channel.maxMessageBytes) return undefined;
  return new FanfareError('too_large', `data of ${length} bytes is over ${channel.maxMessageBytes}`);
}
