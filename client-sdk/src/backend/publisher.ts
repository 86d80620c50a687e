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

/** Options of {@link createPublisher}. */
export interface PublisherOptions {
  /** Where the gateway is, `https://…`; of several, the next one is taken where one does not answer. */
  readonly url: string | readonly string[];
  /** One of the gateway's API keys, with the scope `publish`. */
  readonly apiKey: string;
  /** How messages share requests. */
  readonly batch?: {
    /** Most messages of one request, 1 to 1000. Default 1000. */
    readonly maxMessages?: number | undefined;
    /**
     * How long the first message waits for others, ms. Default 0: what is published while a request is open goes
     * together.
     */
    readonly delayMs?: number | undefined;
  };
  /**
   * How long a publish may take, with all its retries, ms. At most 5 minutes, for which gateways know keys. Default 20
   * s.
   */
  readonly timeoutMs?: number | undefined;
  /** How long one request may take, ms. Default 10 s. */
  readonly requestTimeoutMs?: number | undefined;
  /** Messages that may wait; more are refused with `limit_exceeded`. Default 10,000. */
  readonly maxPending?: number | undefined;
  /** Gives every message a random key, so that it can be sent again. Default true; channels declared live get none. */
  readonly autoKey?: boolean | undefined;
  /** Whether the schemas of `channels` check what is published. Default true. */
  readonly validate?: boolean | undefined;
  /** Delays between attempts. Default 200 ms doubling up to 5 s, full jitter. */
  readonly backoff?: BackoffOptions | undefined;
  /** Default: the runtime's. */
  readonly fetch?: typeof fetch | undefined;
}

/** Options of a publish by a backend. */
export interface PublishOptions extends MessageOptions {
  /** The user whose message it is, as subscribers are told: 1 to 255 bytes. Default: nobody's. */
  readonly user?: string | undefined;
  /**
   * The session that does not get it, as `client.session` names it there: the one on whose behalf this is published.
   */
  readonly except?: string | undefined;
}

/** A message for {@link UntypedPublisher.publishAll}. */
export interface Prepared {
  /** The channel it goes to. */
  readonly channel: string;
  /** What is published. */
  readonly data: unknown;
  /** As for `publish`. */
  readonly options?: PublishOptions | undefined;
}

/** What every publisher has, whether its channels are declared or not. */
export interface BasePublisher {
  /**
   * Sends what waits without waiting for more, and resolves once the outcome of all that was published before is known.
   */
  flush(): Promise<void>;
  /** The same; what is published afterwards is refused with `closed`. */
  close(): Promise<void>;
}

/** Without a map of channels. */
export interface UntypedPublisher extends BasePublisher {
  /**
   * Resolves once it is in the log, with its position (none on live channels). `data` is encoded at once. Messages of one
   * channel are stored in call order.
   * @throws {FanfareClientError} as a rejection: `outcome_unknown` (it may or may not be in the log), `timeout` (it is
   * not), `unreachable`, `invalid_data`, `bad_request`, `too_large`, `unauthorized`, `forbidden`, `unknown_channel`, …
   */
  publish(channel: string, data: unknown, options?: PublishOptions): Promise<PublishResult>;
  /** One payload to many channels; one outcome each, in their order. Sent once for all that fit into one request. */
  publishTo(channels: readonly string[], data: unknown, options?: PublishOptions): Promise<readonly Outcome[]>;
  /** Messages of any channels; one outcome each, in their order. They are not one transaction. */
  publishAll(messages: readonly Prepared[]): Promise<readonly Outcome[]>;
  /** Prepares a message for {@link UntypedPublisher.publishAll}; sends nothing. */
  message(channel: string, data: unknown, options?: PublishOptions): Prepared;
}

declare const CHECKED: unique symbol;
/** A message that was checked against the map. */
export interface PreparedOf<Map> extends Prepared {
  /** Never there at run time. */
  readonly [CHECKED]: Map;
}

type DataOf<Map, Name extends string> = InOf<SpecIn<Map, Name>>;
type OptionsOf<Map, Name extends string> = PublishOptions & Pick<PublishOptionsOf<SpecIn<Map, Name>>, 'tags'>;
type ResultOf<Spec> = Spec extends AnySpec ? Published<Spec> : never;

/** With a map of channels: names, data and tags are checked by the compiler, data by its schema too. */
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
  /** `publishAll([p.message('chat:1', …), p.message('system', …)])`: checked one by one, sent together. */
  publishAll(messages: readonly PreparedOf<Map>[]): Promise<readonly Outcome[]>;
  /** Prepares a message for {@link TypedPublisher.publishAll}, checked against the map; sends nothing. */
  message<const Name extends ChannelName<Map>>(
    channel: Name,
    data: DataOf<Map, Name>,
    options?: OptionsOf<Map, Name>,
  ): PreparedOf<Map>;
}

/** How long a gateway knows a key unless configured otherwise, ms. */
const KEY_WINDOW_MS = 300_000;

/**
 * Publishes over HTTP. Nothing is opened before the first message.
 * @throws {FanfareClientError} `bad_request` if an option is wrong.
 */
export function createPublisher<Map extends object>(
  options: PublisherOptions & {
    /** What `defineChannels` returned. */
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
