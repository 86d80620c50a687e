import { isChannelName, type Tags } from '@fanfare/protocol';
import { stringify } from '@fanfare/protocol/json';
import { isKey, isName } from '@fanfare/protocol/validate';
import type { BackoffOptions } from '../backoff.js';
import type { Published, PublishOptionsOf } from '../channel-types.js';
import { checkDeclared, type Declared, declarationOf } from '../channels/declared.js';
import type { ChannelName } from '../channels/patterns.js';
import type { SpecIn } from '../channels/resolve.js';
import type { AnySpec, InOf } from '../channels/spec.js';
import { checkData } from '../check-data.js';
import { checkNumber } from '../check-number.js';
import { badRequest, FanfareClientError } from '../errors.js';
import type { MessageOptions, PublishResult } from '../publishing.js';
import { type EncodedMessage, type Outcome, PublishQueue } from './publish-queue.js';

/** What {@link createPublisher} is given. */
export interface PublisherOptions {
  /**
   * The address of the gateway, `https://…` or `http://…`, without a query. Of several gateways, the next one is asked
   * when one does not answer.
   */
  readonly url: string | readonly string[];
  /** It has to be one of the gateway's API keys, with the scope `publish`. */
  readonly apiKey: string;
  /** This says how messages share requests. */
  readonly batch?: {
    /** One request takes at most so many messages, 1 to 1000. The default is 1000. */
    readonly maxMessages?: number | undefined;
    /**
     * The first message waits so long for others, ms, from 0 to 300,000. The default is 0, with which messages that
     * are published while a request is open go together in the next one.
     */
    readonly delayMs?: number | undefined;
  };
  /**
   * A publish may take so long with all its retries, ms, and fails with `timeout` or `outcome_unknown` after that. It
   * is at most 300,000, because gateways know keys for 5 minutes. The default is 20,000.
   */
  readonly timeoutMs?: number | undefined;
  /** One request may take so long before it is given up and made again, ms. The default is 10,000. */
  readonly requestTimeoutMs?: number | undefined;
  /** So many messages may wait, and more are refused with `limit_exceeded`. The default is 10,000. */
  readonly maxPending?: number | undefined;
  /**
   * Whether every message gets a random key, so that it can be sent again without being stored twice. The default is
   * true. Messages to channels that are declared live get none, because nothing is stored of them.
   */
  readonly autoKey?: boolean | undefined;
  /** Whether the schemas of `channels` check what is published. The default is true. */
  readonly validate?: boolean | undefined;
  /**
   * The delays between attempts, ms. The default begins with 200 and doubles up to 5,000, and each delay is a random
   * part of that.
   */
  readonly backoff?: BackoffOptions | undefined;
  /** What makes the requests. The default is `fetch` of the runtime. */
  readonly fetch?: typeof fetch | undefined;
}

/** What a backend may say of a message, besides its channel and its data. */
export interface PublishOptions extends MessageOptions {
  /** The user who is named to subscribers as the sender, 1 to 255 bytes. By default nobody is named. */
  readonly user?: string | undefined;
  /**
   * A session that is not handed the message, as `client.session` names it there, 1 to 255 bytes. It is meant for the
   * session on whose behalf the message is published.
   */
  readonly except?: string | undefined;
}

/** A message for {@link UntypedPublisher.publishAll}. */
export interface Prepared {
  /** The whole name of the channel that it goes to. */
  readonly channel: string;
  /** The payload, which has to be something that JSON can carry. */
  readonly data: unknown;
  /** They are the same as those of `publish`. */
  readonly options?: PublishOptions | undefined;
}

/** What every publisher has, whether its channels are declared or not. */
export interface BasePublisher {
  /**
   * Sends what waits without waiting for more, and resolves once the outcome of all that was published before is
   * known. It rejects never, because each publish tells its own failure.
   */
  flush(): Promise<void>;
  /** Does the same as `flush`, and what is published afterwards is refused with `closed`. */
  close(): Promise<void>;
}

/** A publisher without a map of channels: names are any, and data is whatever JSON can carry. */
export interface UntypedPublisher extends BasePublisher {
  /**
   * Publishes a message, and resolves with its position once it is in the log, or without one if the channel is live.
   * `data` is encoded at once, so later changes of it do not matter. Messages of one channel are stored in call order.
   * @throws {FanfareClientError} as a rejection: `outcome_unknown` (it may or may not be in the log), `timeout` (it is
   * not), `unreachable`, `invalid_data`, `bad_request`, `too_large`, `unauthorized`, `forbidden`, `unknown_channel`, …
   */
  publish(channel: string, data: unknown, options?: PublishOptions): Promise<PublishResult>;
  /**
   * Publishes one payload to many channels, and resolves with the outcome of each, in their order. The payload is sent
   * once for all the channels that fit into one request.
   * @throws {FanfareClientError} as a rejection, before anything is sent: `bad_request`, `invalid_data` or `closed`.
   */
  publishTo(channels: readonly string[], data: unknown, options?: PublishOptions): Promise<readonly Outcome[]>;
  /**
   * Publishes messages to any channels, and resolves with the outcome of each, in their order. They are not one
   * transaction: one that fails harms none of the others, and nothing is thrown.
   */
  publishAll(messages: readonly Prepared[]): Promise<readonly Outcome[]>;
  /** Returns a message for {@link UntypedPublisher.publishAll}, and sends nothing. */
  message(channel: string, data: unknown, options?: PublishOptions): Prepared;
}

declare const CHECKED: unique symbol;
/** A message that the compiler has checked against the map, for {@link TypedPublisher.publishAll}. */
export interface PreparedOf<Map> extends Prepared {
  /** This is never there at run time: it keeps messages out that were not checked. */
  readonly [CHECKED]: Map;
}

type DataOf<Map, Name extends string> = InOf<SpecIn<Map, Name>>;
type OptionsOf<Map, Name extends string> = PublishOptions & Pick<PublishOptionsOf<SpecIn<Map, Name>>, 'tags'>;
type ResultOf<Spec> = Spec extends AnySpec ? Published<Spec> : never;

/**
 * A publisher with a map of channels: the compiler checks names, data and tags, and where a channel has a schema, that
 * checks the data when it is published.
 */
export interface TypedPublisher<Map> extends BasePublisher {
  /** @see UntypedPublisher.publish */
  publish<const Name extends ChannelName<Map>>(
    channel: Name,
    data: DataOf<Map, Name>,
    options?: OptionsOf<Map, Name>,
  ): Promise<ResultOf<SpecIn<Map, Name>>>;
  /** @see UntypedPublisher.publishTo */
  publishTo<const Name extends ChannelName<Map>>(
    channels: readonly Name[],
    data: DataOf<Map, Name>,
    options?: OptionsOf<Map, Name>,
  ): Promise<readonly Outcome[]>;
  /**
   * Publishes messages that `message` has made, as in `publishAll([p.message('chat:1', …), p.message('system', …)])`,
   * and resolves with the outcome of each, in their order. They are checked one by one and sent together.
   */
  publishAll(messages: readonly PreparedOf<Map>[]): Promise<readonly Outcome[]>;
  /** Returns a message for {@link TypedPublisher.publishAll} that the compiler has checked, and sends nothing. */
  message<const Name extends ChannelName<Map>>(
    channel: Name,
    data: DataOf<Map, Name>,
    options?: OptionsOf<Map, Name>,
  ): PreparedOf<Map>;
}

/** How long a gateway knows a key unless configured otherwise, ms. */
const KEY_WINDOW_MS = 300_000;

/**
 * Creates a publisher for a backend, which publishes over HTTP. Nothing is opened before the first message.
 * @throws {FanfareClientError} `bad_request` if an option is wrong.
 */
export function createPublisher<Map extends object>(
  options: PublisherOptions & {
    /** The map of the channels, as `defineChannels` returned it. */
    readonly channels: Map;
  },
): TypedPublisher<Map>;
export function createPublisher(options: PublisherOptions): UntypedPublisher;
export function createPublisher<Map>(options: PublisherOptions): TypedPublisher<Map>;
export function createPublisher(options: PublisherOptions & { readonly channels?: object }): BasePublisher {
  return new HttpPublisher(options, checkDeclared(options.channels));
}

class HttpPublisher implements UntypedPublisher {
  readonly #options: PublisherOptions;
  readonly #channels: Declared | undefined;
  readonly #queue: PublishQueue;
  readonly #timeoutMs: number;
  readonly #keyPrefix = Array.from(crypto.getRandomValues(new Uint32Array(2)), (n) => n.toString(36)).join('');
  #keys = 0;
  #isClosed = false;

  constructor(options: PublisherOptions, channels: Declared | undefined) {
    const { url, apiKey, batch = {}, timeoutMs = 20_000, requestTimeoutMs = 10_000, maxPending = 10_000 } = options;
    const { maxMessages = 1_000, delayMs = 0 } = batch;
    if (typeof apiKey !== 'string' || apiKey === '') throw badRequest('apiKey is missing');
    checkNumber('batch.maxMessages', maxMessages, 1, 1_000);
    checkNumber('batch.delayMs', delayMs, 0, KEY_WINDOW_MS);
    checkNumber('timeoutMs', timeoutMs, 1, KEY_WINDOW_MS);
    checkNumber('requestTimeoutMs', requestTimeoutMs, 1, KEY_WINDOW_MS);
    checkNumber('maxPending', maxPending, 1);
    this.#options = options;
    this.#channels = channels;
    this.#timeoutMs = timeoutMs;
    this.#queue = new PublishQueue({
      urls: urlsOf(url),
      apiKey,
      fetch: options.fetch ?? ((...args) => fetch(...args)),
      maxMessages,
      delayMs,
      maxPending,
      requestTimeoutMs,
      backoff: options.backoff ?? { baseMs: 200, maxMs: 5_000 },
    });
  }

  async publish(channel: string, data: unknown, options?: PublishOptions): Promise<PublishResult> {
    const outcome = await this.#queue.add(this.#message(channel, this.#encode([channel], data, options), options));
    if (!outcome.ok) throw outcome.error;
    const { ok: _ok, ...result } = outcome;
    return result;
  }

  async publishTo(channels: readonly string[], data: unknown, options?: PublishOptions): Promise<readonly Outcome[]> {
    const encoded = this.#encode(channels, data, options);
    return Promise.all(channels.map((channel) => this.#queue.add(this.#message(channel, encoded, options))));
  }

  /** Publishes messages of any channels. One that cannot be sent harms none of the others. */
  publishAll(messages: readonly Prepared[]): Promise<readonly Outcome[]> {
    return Promise.all(
      messages.map(async ({ channel, data, options }): Promise<Outcome> => {
        try {
          return { ok: true, ...(await this.publish(channel, data, options)) };
        } catch (error) {
          return { ok: false, channel, error: error as FanfareClientError };
        }
      }),
    );
  }

  message(channel: string, data: unknown, options?: PublishOptions): Prepared {
    return { channel, data, options };
  }

  flush(): Promise<void> {
    return this.#queue.flush();
  }

  close(): Promise<void> {
    this.#isClosed = true;
    return this.flush();
  }

  /** Encodes what is the same for all of the channels, once and now, so that later changes of `data` do not matter. */
  #encode(channels: readonly string[], data: unknown, options: PublishOptions = {}): Encoded {
    const { key, tags, durability, replicas, user, except } = options;
    if (this.#isClosed) throw new FanfareClientError('closed', 'the publisher was closed');
    if (key !== undefined && !isKey(key)) throw badRequest('a key has 1 to 128 bytes');
    for (const [name, value] of Object.entries({ user, except })) {
      if (value !== undefined && !isName(value)) throw badRequest(`${name} has 1 to 255 bytes`);
    }
    const kinds = channels.map((channel) => this.#check(channel, data));
    const isKeyed = this.#options.autoKey !== false && kinds.some((kind) => kind !== 'live');
    const ownKey = key ?? (isKeyed ? `${this.#keyPrefix}-${(this.#keys++).toString(36)}` : undefined);
    checkData(data);
    let json: string;
    try {
      json = stringify(data);
    } catch (cause) {
      throw badRequest(`data cannot be encoded: ${(cause as Error).message}`, { cause });
    }
    const fields = { key: ownKey, tags: tags satisfies Tags | undefined, durability, replicas, user, except };
    const rest = JSON.stringify(fields).slice(1, -1);
    return { fields: `"data":${json}${rest && `,${rest}`}`, key: ownKey };
  }

  #check(channel: string, data: unknown): 'live' | string | undefined {
    if (!isChannelName(channel)) throw badRequest(`not a channel name: ${JSON.stringify(channel)}`);
    if (this.#channels === undefined) return undefined;
    const declared = declarationOf(this.#channels, channel);
    const result = this.#options.validate === false ? undefined : declared.parse?.(data);
    if (result?.issues) throw result.error;
    return declared.kind;
  }

  #message(
    channel: string,
    { fields, key }: Encoded,
    { timeoutMs = this.#timeoutMs }: PublishOptions = {},
  ): EncodedMessage {
    checkNumber('timeoutMs', timeoutMs, 1, KEY_WINDOW_MS);
    return { channel, fields, key, repeatable: key !== undefined, timeoutMs };
  }
}

interface Encoded {
  readonly fields: string;
  readonly key: string | undefined;
}

function urlsOf(url: string | readonly string[]): string[] {
  const urls = [url].flat().map((text) => {
    if (!/^https?:\/\/[^/?#\s]+[^?#\s]*$/i.test(text)) throw badRequest(`url must be http: or https:, not ${text}`);
    return `${text.replace(/\/+$/, '')}/v1/publish`;
  });
  if (urls.length === 0) throw badRequest('url is missing');
  return urls;
}
