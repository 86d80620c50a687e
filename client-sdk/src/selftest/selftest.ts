import { createPublisher } from '../backend/publisher.js';
import { createClient } from '../client.js';
import type { ClientOptions } from '../client-options.js';
import type { UntypedClient } from '../client-types.js';
import type { Token } from '../connection.js';
import { type ClientErrorCode, FanfareClientError, withoutQuery } from '../errors.js';
import type { Message } from '../message.js';
import { defaultSocket } from '../transport/default-socket.js';
import type { SocketFactory, SocketHandlers } from '../transport/socket.js';
import { Tally } from './tally.js';

/** Which gateway is tried, and as whom. */
export interface SelftestOptions {
  /** The address of the gateway, as for `createClient`. */
  readonly url: string;
  /** A token that may subscribe to and publish on channels that begin with `channel`, and read their history. */
  readonly token?: Token | undefined;
  /** An API key with the scope `publish`. With it messages are published over HTTP, as a backend does. */
  readonly apiKey?: string | undefined;
  /**
   * How the names of its channels begin, and what follows is random. They have to be in a durable namespace. The default
   * is `selftest-`.
   */
  readonly channel?: string | undefined;
  /** One promise may take so long to be kept, ms. The default is 20,000. */
  readonly timeoutMs?: number | undefined;
}

/** One promise, and whether it was kept. */
export interface SelftestResult {
  /** Which promise it is. */
  readonly name: 'connect' | 'order' | 'dedupe' | 'history' | 'resume' | 'restart' | 'slow reading';
  /** Whether it was kept. */
  readonly ok: boolean;
  /** What was done and found, in a line. */
  readonly detail: string;
  /** How long that took, ms. */
  readonly ms: number;
}

const CUTS = 5;
const MESSAGES = 500;

/**
 * Tries on a running gateway what is promised: order, keys that store once, resuming after cuts, going on from a position
 * elsewhere, readers that are slow. Leaves logs of random names behind, which the gateway forgets after its retention.
 * @param tell Is given each result as it is there; the first that is not `ok` is the last where nothing can follow it.
 */
export async function selftest(
  options: SelftestOptions,
  tell: (result: SelftestResult) => void = () => {},
): Promise<readonly SelftestResult[]> {
  const results: SelftestResult[] = [];
  const bench = new Bench(options);
  const prove = async (name: SelftestResult['name'], act: () => Promise<string>): Promise<boolean> => {
    const begun = Date.now();
    const result = await bench.inTime(act).then(
      (detail) => ({ name, ok: true, detail, ms: Date.now() - begun }),
      (error: Error) => ({ name, ok: false, detail: bench.explain(error), ms: Date.now() - begun }),
    );
    results.push(result);
    tell(result);
    return result.ok;
  };
  try {
    if (!(await prove('connect', () => connects(bench)))) return results;
    if (!(await prove('order', () => keepsOrder(bench)))) return results;
    await prove('dedupe', () => storesOnce(bench));
    await prove('history', () => followsHistory(bench));
    await prove('resume', () => resumes(bench));
    await prove('restart', () => goesOnElsewhere(bench));
    await prove('slow reading', () => feedsTheSlow(bench));
    return results;
  } finally {
    bench.close();
  }
}

/** The clients of one run, and what they publish. */
class Bench {
  readonly #options: SelftestOptions;
  readonly #clients: UntypedClient[] = [];
  readonly #publisher: { publish(channel: string, data: number, key?: string): Promise<{ duplicate?: boolean }> };
  readonly #end: () => void;
  readonly client: UntypedClient;

  constructor(options: SelftestOptions) {
    this.#options = options;
    this.client = this.open();
    const { apiKey, url } = options;
    const { client } = this;
    if (apiKey === undefined) {
      this.#publisher = {
        publish: (channel, data, key) => client.channel<number>(channel).publish(data, key ? { key } : {}),
      };
      this.#end = () => {};
    } else {
      const { origin } = new URL(url.replace(/^ws/i, 'http'));
      const publisher = createPublisher({ url: origin, apiKey });
      this.#publisher = {
        publish: (channel, data, key) => publisher.publish(channel, data, key ? { key } : {}),
      };
      this.#end = () => void publisher.close();
    }
  }

  /** Makes another client, which is connecting. What it cannot do is reported by what waits for it. */
  open(more: Partial<ClientOptions> = {}): UntypedClient {
    const { url, token } = this.#options;
    const client = createClient({ url, token, log: false, backoff: { baseMs: 50, maxMs: 1_000 }, ...more });
    this.#clients.push(client);
    client.connect();
    return client;
  }

  name(): string {
    const random = Array.from(crypto.getRandomValues(new Uint32Array(2)), (n) => n.toString(36)).join('');
    return `${this.#options.channel ?? 'selftest-'}${random}`;
  }

  publish(channel: string, data: number, key?: string): Promise<{ duplicate?: boolean }> {
    return this.#publisher.publish(channel, data, key);
  }

  /** Publishes the numbers in order, without waiting for the acknowledgement of one before the next. */
  async publishAll(channel: string, from: number, to: number): Promise<void> {
    await Promise.all(Array.from({ length: to - from + 1 }, (_, n) => this.publish(channel, from + n)));
  }

  async inTime<T>(act: () => Promise<T>): Promise<T> {
    const { timeoutMs = 20_000 } = this.#options;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      const text = `not within ${timeoutMs / 1_000} s (timeoutMs, --timeout): a gateway that is slow, far, or limits publishes`;
      timer = setTimeout(() => reject(new Error(text)), timeoutMs);
    });
    try {
      return await Promise.race([act(), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Says what went wrong, and which option has to do with it. */
  explain(error: Error): string {
    const { url, apiKey, channel = 'selftest-' } = this.#options;
    const { code } = error as Partial<FanfareClientError>;
    const hints: Partial<Record<ClientErrorCode, string>> = {
      unreachable: `is ${withoutQuery(url)} the address of a gateway?`,
      unknown_channel: 'channel (--channel) is how names of a durable namespace begin',
      forbidden:
        `the token (--token) has to allow subscribe, publish and history on ${channel}*, and the namespace ` +
        'clients to publish there; or give apiKey (--api-key)',
      unauthorized: `see ${this.client.session && apiKey !== undefined ? 'apiKey (--api-key)' : 'token (--token)'}`,
    };
    const hint = code && hints[code];
    return hint ? `${error.message}; ${hint}` : error.message;
  }

  close(): void {
    for (const client of this.#clients) client.close();
    this.#end();
  }
}

async function connects({ client }: Bench): Promise<string> {
  const failed = new Promise<never>((_, reject) =>
    client.on('state', ({ state, error, reason, code }) => {
      if (state === 'waiting')
        reject(error ?? new FanfareClientError('unreachable', reason || `cannot be reached (${code})`));
    }),
  );
  await Promise.race([client.ready(), failed]);
  const { node, user } = client.session as NonNullable<typeof client.session>;
  return `node ${node}, ${user === undefined ? 'anonymous' : `as ${user}`}`;
}

async function keepsOrder(bench: Bench): Promise<string> {
  const channel = bench.name();
  const tallies = [new Tally(), new Tally()];
  for (const tally of tallies) {
    const subscription = bench.open().channel<number>(channel).subscribe(tally.take);
    await subscription.ready();
    if (!subscription.position) throw new Error(`${channel} is live: name a durable namespace by --channel`);
  }
  await bench.publishAll(channel, 1, MESSAGES);
  return verdict(tallies, MESSAGES, `${MESSAGES} messages to ${tallies.length} readers`);
}

async function storesOnce(bench: Bench): Promise<string> {
  const channel = bench.name();
  const tally = new Tally();
  await bench.client.channel<number>(channel).subscribe(tally.take).ready();
  const first = await bench.publish(channel, 1, 'selftest');
  const second = await bench.publish(channel, 1, 'selftest');
  await bench.publish(channel, 2);
  if (first.duplicate || !second.duplicate) throw new Error('the same key was stored twice');
  return verdict([tally], 2, 'a key published twice is stored once');
}

async function followsHistory(bench: Bench): Promise<string> {
  const channel = bench.client.channel<number>(bench.name());
  const tally = new Tally();
  const { messages, head } = await channel.history();
  await bench.publishAll(channel.name, 1, 10);
  await channel.subscribe(tally.take, { since: head }).ready();
  await tally.reaches(10);
  const page = await channel.history({ limit: 4 });
  const read = page.messages.map(({ data }) => data).join();
  const given = tally.last(4).join();
  if (messages.length > 0 || read !== given) throw new Error(`the last four were ${given}, and the log has ${read}`);
  return verdict([tally], 10, 'an empty log was read, then followed');
}

async function resumes(bench: Bench): Promise<string> {
  const channel = bench.name();
  const tally = new Tally();
  const line = new CutLine();
  const reader = bench.open({ socket: line.socket });
  const subscription = reader.channel<number>(channel).subscribe(tally.take);
  const told: string[] = [];
  subscription.on('reset', ({ reason }) => told.push(reason));
  await subscription.ready();
  for (let cut = 0; cut < CUTS; cut++) {
    const from = (cut * MESSAGES) / CUTS + 1;
    const to = ((cut + 1) * MESSAGES) / CUTS;
    const publishing = bench.publishAll(channel, from, to);
    await tally.reaches(from);
    line.cut();
    await publishing;
    await reader.ready();
  }
  await tally.reaches(MESSAGES);
  if (told.length > 0) throw new Error(`the log was reset: ${told.join()}`);
  if (reader.stats.reconnects < CUTS) throw new Error(`${CUTS} cuts, ${reader.stats.reconnects} reconnects`);
  return verdict([tally], MESSAGES, `${CUTS} cuts while ${MESSAGES} messages were published`);
}

async function goesOnElsewhere(bench: Bench): Promise<string> {
  const channel = bench.name();
  const tally = new Tally();
  let last: Message<number> | undefined;
  const before = bench.open();
  const reader = before.channel<number>(channel).subscribe((message) => {
    tally.take(message);
    last = message;
  });
  await reader.ready();
  await bench.publishAll(channel, 1, 100);
  await tally.reaches(100);
  before.close();
  await bench.publishAll(channel, 101, 200);
  bench.open().channel<number>(channel).subscribe(tally.take, { since: last });
  return verdict([tally], 200, 'a client that ended, and another that goes on from its position');
}

async function feedsTheSlow(bench: Bench): Promise<string> {
  const channel = bench.name();
  const [slow, fast] = [new Tally(), new Tally()];
  const subscription = bench.open().channel<number>(channel).subscribe({ maxQueue: 50 });
  await subscription.ready();
  await bench.open().channel<number>(channel).subscribe(fast.take).ready();
  await bench.publishAll(channel, 1, MESSAGES);
  // The loop has read nothing so far, and holds 50 messages at most.
  await fast.reaches(MESSAGES);
  for await (const message of subscription) {
    slow.take(message);
    if (slow.count === MESSAGES) break;
  }
  return verdict([slow, fast], MESSAGES, `a reader with room for 50 of ${MESSAGES}, beside one that was not held up`);
}

async function verdict(tallies: readonly Tally[], count: number, what: string): Promise<string> {
  await Promise.all(tallies.map((tally) => tally.reaches(count)));
  const problem = tallies.map((tally) => tally.problem(count)).find((one) => one !== undefined);
  if (problem) throw new Error(`${what}: ${problem}`);
  return `${what}: 0 lost, 0 duplicated, 0 reordered`;
}

/** Sockets that can be cut from here, without a close frame. */
class CutLine {
  #cut: () => void = () => {};

  readonly socket: SocketFactory = (request, handlers) => {
    let isCut = false;
    const guarded: SocketHandlers = {
      onOpen: () => isCut || handlers.onOpen(),
      onMessage: (wire) => isCut || handlers.onMessage(wire),
      onClose: (...how) => isCut || handlers.onClose(...how),
    };
    const socket = defaultSocket(request, guarded);
    this.#cut = () => {
      isCut = true;
      socket.terminate();
      handlers.onClose(1006, 'cut by the selftest');
    };
    return socket;
  };

  cut(): void {
    this.#cut();
  }
}
