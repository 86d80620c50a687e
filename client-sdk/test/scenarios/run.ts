/** A reader program on a channel of a real gateway, somebody who publishes there, and the books of both. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type GatewayProcess, startGatewayProcess } from '../../../gateway/test/support/gateway-process.js';
import { type ServerOptions, type StandaloneServers, until } from '../../../gateway/test/support/redis-servers.js';
import type { TcpProxy } from '../../../gateway/test/support/tcp-proxy.js';
import type { Position } from '../../src/index.js';
import { createPublisher, type UntypedPublisher } from '../../src/publisher.js';
import { type Account, accountOf, type Entry, Journal, type Line } from './books.js';

/** The Node that runs the reader. The gateways run on that of the tests. */
const NODE = process.env.FANFARE_TEST_NODE ?? process.execPath;
const PROGRAM = fileURLToPath(new URL('reader.mjs', import.meta.url));
/** Makes its event loop stand still on SIGUSR2. */
const STALL = fileURLToPath(new URL('../../../gateway/test/faults/stall.mjs', import.meta.url));
const DIALECTS = ['json', 'compact', 'msgpack'] as const;
type Dialect = (typeof DIALECTS)[number];

const SECRET = 'the secret of scenarios, long enough';
const PATIENCE_MS = 180_000;
/** How many messages may wait for their answers: beyond that, publishing is as fast as the machine. */
const MOST_OPEN = 1_000;
const TICK_MS = 50;

/** A gateway whose logs keep everything, so that they can be compared. */
export function startGateway(settings: Readonly<Record<string, string>>, port = 0): Promise<GatewayProcess> {
  const history = { size: 100_000, ttl: '1h' };
  return startGatewayProcess({
    port,
    settings: { JWT_SECRET: SECRET, STOP_DELAY_MS: '0', ...settings },
    file: { namespaces: { s: { durable: true, history, subscribe: 'anyone', publish: 'anyone' } } },
  });
}

export type Transport = 'uws' | 'ws';

/** What a scenario has at hand; whatever it opens is closed after it. */
export interface Stage {
  readonly transport: Transport;
  readonly gateway: GatewayProcess;
  start(settings?: Readonly<Record<string, string>>, port?: number): Promise<GatewayProcess>;
  /** A server of its own. */
  startRedis(options?: ServerOptions): Promise<StandaloneServers>;
  proxy(port: number): Promise<TcpProxy>;
  run(gateways?: readonly GatewayProcess[]): Promise<Run>;
}

export const wsUrl = (port: number) => `ws://127.0.0.1:${port}/ws`;

export interface ReaderOptions {
  readonly url: string;
  /** Whether its clients publish too. Default true. */
  readonly publishes?: boolean;
  /** It goes on from the position that the SDK keeps, in place of its own books. */
  readonly named?: boolean;
  /** It has tokens of this user, which hold for 3 s. */
  readonly user?: string;
  /** For how long its event loop stands still on SIGUSR2. */
  readonly stallMs?: number;
  /** Default: the SDK's. */
  readonly connectTimeoutMs?: number;
}

export class Run {
  readonly channel: string;
  readonly #folder: string;
  readonly #journals: Readonly<Record<Dialect, Journal>>;
  readonly #publisher: UntypedPublisher;
  #gateway: GatewayProcess;
  #program: ChildProcess | undefined;
  #output = '';
  #published = 0;
  #stored = 0;
  #feeding: { stop: boolean; done: Promise<unknown> } | undefined;
  /** Logs that are gone with their gateway. */
  readonly #gone: Entry[] = [];

  private constructor(channel: string, folder: string, gateways: readonly GatewayProcess[]) {
    this.channel = channel;
    this.#folder = folder;
    const journals = DIALECTS.map((dialect) => [dialect, new Journal(join(folder, `${dialect}.jsonl`))]);
    this.#journals = Object.fromEntries(journals) as Record<Dialect, Journal>;
    this.#gateway = gateways[0] as GatewayProcess;
    const backoff = { baseMs: 100, maxMs: 500 };
    this.#publisher = createPublisher({
      url: gateways.map(({ httpUrl }) => httpUrl),
      apiKey: 'dev',
      timeoutMs: PATIENCE_MS,
      requestTimeoutMs: 2_000,
      maxPending: 100_000,
      backoff,
    });
  }

  /** @param gateways where it is published, to the first that answers; the log is read of the first one until `use` */
  static async open(channel: string, gateways: readonly GatewayProcess[]): Promise<Run> {
    return new Run(channel, await mkdtemp(join(tmpdir(), 'fanfare-reader-')), gateways);
  }

  /** Starts the reader, and waits until all of its clients are subscribed. */
  async read({ stallMs = 0, ...options }: ReaderOptions): Promise<void> {
    const place = { channel: this.channel, folder: this.#folder, secret: SECRET };
    const argument = JSON.stringify({ publishes: true, named: false, ...options, ...place });
    this.#output = '';
    this.#program = spawn(NODE, ['--import', STALL, PROGRAM, argument], {
      env: { PATH: process.env.PATH, STALL_MS: String(stallMs) },
      stdio: ['pipe', 'pipe', 'pipe', 'ipc'],
    });
    for (const stream of [this.#program.stdout, this.#program.stderr])
      stream?.on('data', (chunk: Buffer) => (this.#output += chunk.toString()));
    await this.#says('ready');
  }

  signal(signal: NodeJS.Signals): void {
    this.#program?.kill(signal);
  }

  /** Ends the reader, and waits until it is gone. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const program = this.#program;
    this.#program = undefined;
    if (!program || program.exitCode !== null || program.signalCode !== null) return;
    const gone = once(program, 'exit');
    program.kill(signal);
    await gone;
  }

  /** How many messages `feed` has published that are acknowledged. */
  get stored(): number {
    return this.#stored;
  }

  /** Publishes so many messages a second until `rest` or `settle`, whatever becomes of gateways. */
  feed(perSecond: number, padBytes = 0): void {
    const feeding = { stop: false, done: Promise.resolve() as Promise<unknown> };
    const text = 'x'.repeat(padBytes);
    const publish = async (n: number) => {
      await this.#publisher.publish(this.channel, { by: 'backend', n, text });
      this.#stored++;
    };
    const run = async () => {
      const all: Promise<unknown>[] = [];
      let open = 0;
      const [since, before] = [Date.now(), this.#published];
      while (!feeding.stop) {
        const due = before + ((Date.now() - since) / 1_000) * perSecond;
        while (this.#published < due && open < MOST_OPEN) {
          open++;
          const one = publish(++this.#published).finally(() => open--);
          one.catch(() => {}); // told where all are awaited
          all.push(one);
        }
        await delay(TICK_MS);
      }
      await Promise.all(all);
    };
    feeding.done = run();
    // Told where it is awaited.
    feeding.done.catch(() => {});
    this.#feeding = feeding;
  }

  /** Ends publishing for good: everything is answered, and all clients stand where the log ends. */
  async settle(): Promise<void> {
    this.#program?.stdin?.end();
    if (this.#program) await this.#says('quiet');
    await this.rest();
  }

  /** Ends what `feed` began: all is answered, and all clients stand where the log ends. */
  async rest(): Promise<void> {
    if (this.#feeding) this.#feeding.stop = true;
    await this.#feeding?.done;
    const log = await this.log();
    const head = log.at(-1);
    await until(
      'all clients have caught up',
      () =>
        DIALECTS.every((dialect) => {
          const place = this.#standsAt(dialect);
          return place?.epoch === head?.epoch && place?.offset === head?.offset;
        }),
      PATIENCE_MS,
    );
  }

  /** The log is about to be lost; what is published from now on goes to the next. */
  async keepLog(): Promise<void> {
    this.#gone.push(...(await this.log()));
  }

  /** How many messages a client has been given so far. */
  received(dialect: Dialect): number {
    return this.lines(dialect).filter(({ kind }) => kind === 'message').length;
  }

  /** Waits until all clients have been given some more. */
  async flows(count = 20): Promise<void> {
    const counts = () => DIALECTS.map((dialect) => this.received(dialect));
    const before = counts();
    await until('messages flow', () => counts().every((now, i) => now >= (before[i] ?? 0) + count), PATIENCE_MS);
  }

  /** Waits until every client has written down something like this, behind the first lines that are given. */
  async writes(what: string, fits: (line: Line) => boolean, behind = this.counts()): Promise<void> {
    const all = () => DIALECTS.map((dialect, i) => this.lines(dialect).slice(behind[i]));
    await until(what, () => all().every((lines) => lines.some(fits)), PATIENCE_MS);
  }

  lines(dialect: Dialect): readonly Line[] {
    return this.#journals[dialect].lines;
  }

  /** How many lines each client has written down. */
  counts(): number[] {
    return DIALECTS.map((dialect) => this.lines(dialect).length);
  }

  /** The books of every client, after {@link settle}. */
  async accounts(): Promise<Record<Dialect, Account>> {
    const log = [...this.#gone, ...(await this.log())];
    const accounts = DIALECTS.map((dialect) => [dialect, accountOf(this.lines(dialect), log)]);
    return Object.fromEntries(accounts) as Record<Dialect, Account>;
  }

  /** The whole log, page by page from its end. */
  async log(): Promise<Entry[]> {
    const log: Entry[] = [];
    for (let before = '', more = true; more; ) {
      const url = `${this.#gateway.httpUrl}/v1/history?channel=${this.channel}&limit=1000${before}`;
      const response = await fetch(url, { headers: { authorization: 'Bearer dev' } });
      if (!response.ok) throw new Error(await response.text());
      const page = (await response.json()) as { messages: (Position & { data: Entry })[]; more: boolean };
      log.unshift(...page.messages.map(({ epoch, offset, data: { by, n } }) => ({ epoch, offset, by, n })));
      const [first] = page.messages;
      before = `&before=${first?.epoch}-${first?.offset}`;
      more = page.more;
    }
    return log;
  }

  /** The log and sessions are read of this gateway from now on. */
  use(gateway: GatewayProcess): void {
    this.#gateway = gateway;
  }

  /** Connections of a user, as the gateway has them. */
  async connectionsOf(user: string): Promise<number> {
    const response = await fetch(`${this.#gateway.httpUrl}/v1/sessions?user=${user}`, {
      headers: { authorization: 'Bearer dev' },
    });
    return ((await response.json()) as { count: number }).count;
  }

  async close(): Promise<void> {
    if (this.#feeding) this.#feeding.stop = true;
    await this.end('SIGKILL');
    await rm(this.#folder, { recursive: true, force: true });
  }

  #standsAt(dialect: Dialect): Position | undefined {
    return this.lines(dialect).findLast((line) => 'offset' in line && line.kind !== 'published') as
      | Position
      | undefined;
  }

  async #says(word: string): Promise<void> {
    const program = this.#program;
    await until(
      `the reader is ${word}`,
      async () => {
        if (program?.exitCode !== null) throw new Error(`the reader ended:\n${this.#output}`);
        return this.#output.includes(`${word}\n`);
      },
      PATIENCE_MS,
    );
  }
}
