/** Publishes messages to a channel, whoever asks: access, size, the broker, backpressure, outcomes. */
import type { Payload, ReplicasWanted } from '@fanfare/protocol';
import type { Broker, Published } from '../broker/broker.js';
import type { NewMessage } from '../broker/record.js';
import { FanfareError, toFanfareError } from '../errors.js';
import type { ChannelPolicy } from '../namespaces.js';
import type { Caller, ChannelAccess, Decision, PermittedMessage } from './access.js';

/** What became of one message: where it stands in the log, or the error to answer with. */
export type PublishOutcome = Published | FanfareError;

/** Is told of every message that was handed to the broker, once its outcome is known. Must not throw, and must not wait. */
export type PublishListener = (event: PublishEvent) => void;

export interface PublishEvent {
  readonly caller: Caller;
  readonly channel: ChannelPolicy;
  /** Not to be changed; its payload's bytes are the broker's. */
  readonly message: NewMessage;
  readonly outcome: PublishOutcome;
}

interface PublishingOptions {
  readonly access: ChannelAccess;
  readonly broker: Pick<Broker, 'publish'>;
  /** `undefined` while this gateway sends as fast as is published to it; else publishers are answered once it resolves. */
  readonly room: () => Promise<void> | undefined;
  /** Counters, webhooks and whoever else wants to know; called in this order. */
  readonly listeners: readonly PublishListener[];
  /** Told of faults that should not happen. */
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

  /** The channel if a backend may publish to it, else the error to answer with. */
  decide(caller: Caller, name: string): Decision {
    return this.#access.decide(caller, 'publish', name);
  }

  /**
   * The message of a client as it may be published: asks the application where the namespace says so, which may change
   * it. Answers at once where nobody has to be asked.
   * @throws {FanfareError} if it may not be, it is too large, or the application does not answer.
   */
  permit(caller: Caller, name: string, message: NewMessage): PermittedMessage | Promise<PermittedMessage> {
    const decision = this.#access.permitMessage(caller, name, message);
    return decision instanceof Promise ? decision.then(fitting) : fitting(decision);
  }

  /**
   * Publishes messages to a channel that {@link decide} and {@link oversize} let through: one call of the broker, which
   * keeps their order. Never rejects: each message has its own outcome, in the order given.
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
        // Whoever publishes faster than this gateway can send is answered later.
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

/** The error to answer with if a payload is larger than the channel takes. */
export function oversize(channel: ChannelPolicy, payload: Payload): FanfareError | undefined {
  const { length } = payload.bytes;
  if (length <= channel.maxMessageBytes) return undefined;
  return new FanfareError('too_large', `data of ${length} bytes is over ${channel.maxMessageBytes}`);
}
