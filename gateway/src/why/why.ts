/** Why a message did or did not arrive: what the log says, and what every gateway remembers. */

import type { Identity } from '../auth/authenticator.js';
import type { Broker, LogPage } from '../broker/broker.js';
import { exceptOf } from '../broker/extensions.js';
import { endOf, epochAt } from '../broker/resume.js';
import type { Caller } from '../channels/access.js';
import type { PublishListener } from '../channels/publishing.js';
import { FanfareError, toFanfareError } from '../errors.js';
import type { Assembly } from '../fleet/fleet.js';
import { EVENT, type FlightRecorder } from '../flight-recorder.js';
import type { Hub } from '../hub/hub.js';
import type { ChannelPolicy, Namespaces } from '../namespaces.js';
import type { LogEntryInfo, WhyAnswer, WhyCalls, WhyQuery, WhyShare } from './calls.js';
import { recollect } from './recollection.js';

interface WhyOptions {
  readonly fleet: Assembly;
  readonly recorder: FlightRecorder;
  readonly hub: Pick<Hub, 'standing'>;
  readonly broker: Pick<Broker, 'read'>;
  readonly namespaces: Namespaces;
  readonly node: string;
}

/**
 * The question that gateways ask each other. It only ever gets further fields, because gateways of different versions
 * talk to each other.
 */
interface Question {
  readonly channel: string;
  readonly epoch: number;
  readonly offset: number;
  readonly session?: string | undefined;
}

export class Why implements WhyCalls {
  readonly #options: WhyOptions;

  constructor(options: WhyOptions) {
    this.#options = options;
    options.fleet.answer('why', (question: Question) => this.#remember(question));
  }

  async why({ channel, offset, epoch, session }: WhyQuery): Promise<WhyAnswer> {
    const policy = this.#options.namespaces.policy(channel);
    if (!policy) throw new FanfareError('unknown_channel', 'the namespace of the channel is not configured');
    if (!policy.durable) throw new FanfareError('bad_request', 'a live channel has no log, and no positions');
    const log = await this.#look(policy, offset, epoch);
    const question: Question = { channel, epoch: Number(log.epoch ?? epoch ?? 0), offset, session };
    const { shares, missing } = await this.#options.fleet.ask<Question, WhyShare>('why', question);
    const isExcepted = session !== undefined && log.except === session;
    return { channel, offset, log, gateways: isExcepted ? shares.map(excepted) : shares, missing };
  }

  #remember(question: Question): WhyShare {
    const { recorder, hub, node } = this.#options;
    const standing = hub.standing(question.channel);
    const { since } = recorder;
    return {
      node,
      ...(since !== undefined && { since }),
      ...(standing && {
        channel: {
          ...(standing.head && { offset: standing.head.offset }),
          pending: standing.pending,
          subscribers: standing.subscribers,
        },
      }),
      ...recollect(recorder.of(question.channel), question),
    };
  }

  async #look(channel: ChannelPolicy, offset: number, given: number | undefined): Promise<LogEntryInfo> {
    try {
      return await this.#find(channel, offset, given);
    } catch (error) {
      const { message } = toFanfareError(error);
      return { state: 'unknown', detail: message, ...(given !== undefined && { epoch: String(given) }) };
    }
  }

  async #find(channel: ChannelPolicy, offset: number, given: number | undefined): Promise<LogEntryInfo> {
    const read = (range: { readonly last: true } | { readonly after: LogPage['head'] }, limit: number) =>
      this.#options.broker.read(channel, { ...range, limit, isPeek: true });
    const log = await read({ last: true }, 0);
    const epoch = given ?? epochAt(log.lineage, offset);
    const told = { epoch: String(epoch) };
    const end = endOf(log, epoch);
    if (end === undefined || (offset > end && epoch !== log.head.epoch)) return { state: 'lost', ...told };
    if (offset > end) return { state: 'unpublished', ...told };
    const before = { epoch: epochAt(log.lineage, offset - 1), offset: offset - 1 };
    const [entry] = (await read({ after: before }, 1)).entries;
    if (entry?.offset !== offset || entry.epoch !== epoch) return { state: 'trimmed', ...told };
    const { time, user, key } = entry;
    const except = exceptOf(entry);
    return {
      state: 'stored',
      ...told,
      time,
      ...(user !== undefined && { user }),
      ...(key !== undefined && { key }),
      ...(except !== undefined && { except }),
    };
  }
}

function excepted(share: WhyShare): WhyShare {
  const { session } = share;
  const isMeant = session?.verdict === 'sent' || session?.verdict === 'replayed';
  return isMeant ? { ...share, session: { ...session, verdict: 'excepted' } } : share;
}

/** Notes which publishers of this gateway were answered. */
export function createPublishRecorder(recorder: FlightRecorder): PublishListener {
  const names = new WeakMap<Identity, string>();
  const nameOf = ({ entrance, identity }: Caller): string => {
    if (!identity) return entrance;
    let name = names.get(identity);
    if (name === undefined) {
      const who = 'keyName' in identity ? String(identity.keyName) : identity.user;
      name = who === undefined ? entrance : `${entrance} ${who}`;
      names.set(identity, name);
    }
    return name;
  };
  return ({ caller, channel, outcome }) => {
    if (outcome instanceof FanfareError || !outcome.position || outcome.duplicate) return;
    recorder.noteAt(EVENT.published, channel.name, nameOf(caller), outcome.position);
  };
}
