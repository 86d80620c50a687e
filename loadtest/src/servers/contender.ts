import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Position } from '@fanfare/protocol';
import { COMPACT_SUBPROTOCOL } from '@fanfare/protocol/compact';
import { JSON_SUBPROTOCOL } from '@fanfare/protocol/json';
import {
  httpPost,
  type Intake,
  TcpIntake,
  takeHttpReply,
  takeRedisReply,
  WebSocketIntake,
} from '../generators/intake.js';
import { GATEWAY_ANSWERS, payload, type Subscribe } from '../generators/reader.js';
import { dataFrame } from '../generators/websocket-frames.js';
import { ServerProcess } from './server-process.js';

/** How messages reach a server. Both contenders of a comparison are fed in the same way, where that is possible. */
export type IntakeKind = 'http' | 'websocket' | 'redis';

export interface BenchChannel {
  readonly name: string;
  readonly durable: boolean;
}

/** What is to be known of a server under test to publish to it and to subscribe. */
export interface Subject {
  readonly name: string;
  readonly server: Pick<ServerProcess, 'cpuMs'>;
  /** What a subscriber of the channel connects to and sends. */
  subscribe(channel: BenchChannel): Subscribe;
  openIntake(kind: IntakeKind): Promise<Intake>;
  /**
   * What to write to such an intake for `count` messages, which are numbered from `sequence` on and have payloads of
   * `size` bytes.
   */
  encode(kind: IntakeKind, channel: BenchChannel, sequence: number, count: number, size: number): Buffer | string;
}

/** The baseline or Fanfare. */
export interface Contender extends Subject {
  readonly name: 'bare uWS' | 'Fanfare';
  readonly server: ServerProcess;
  readonly port: number;
  /** The baseline cannot resume: it passes over `since`. */
  subscribe(channel: BenchChannel, since?: Position): Subscribe;
  /** How a connection without subscriptions is opened. */
  connect(): Subscribe;
  /** The message by which an open connection joins a channel. */
  join(channel: string, since?: Position): string;
  /** What the answer to that begins with. */
  readonly joined: string;
}

/** Lets {@link ServerProcess.collectGarbage} ask for a collection. */
const COLLECT = ['--expose-gc', '--import', "data:text/javascript,process.on('SIGUSR2', () => gc())"];

/** The dialect in which subscribers of Fanfare read. The baseline is fed frames of the same size. */
export type BenchDialect = 'json' | 'compact';

export interface ServerOptions {
  /** The dialect of subscribers. Default `compact`, which the SDK takes. */
  readonly dialect?: BenchDialect | undefined;
  /** Port of Redis. Unset: the servers run without Redis. */
  readonly redisPort?: number | undefined;
  /** Further flags for Node. */
  readonly nodeFlags?: readonly string[] | undefined;
  /** The core on which the server runs. Default: that of servers. */
  readonly core?: number | undefined;
  /** How many workers a gateway has. Default 1. */
  readonly workers?: number | undefined;
}

export async function startBareUws({
  redisPort,
  nodeFlags = [],
  dialect = 'compact',
}: ServerOptions = {}): Promise<Contender> {
  const script = fileURLToPath(new URL('./bare-uws.js', import.meta.url));
  const args = [...COLLECT, ...nodeFlags, script, ...(redisPort === undefined ? [] : ['--redis', String(redisPort)])];
  const { server, match } = await ServerProcess.start(process.execPath, args, /listening (\d+)/);
  const port = Number(match[1]);
  return {
    name: 'bare uWS',
    server,
    port,
    subscribe: ({ name }) => ({ url: `ws://127.0.0.1:${port}/ws?${name}`, greeting: [], answers: [] }),
    // It has a topic all the same, as every subscriber has; nobody publishes to it.
    connect: () => ({ url: `ws://127.0.0.1:${port}/ws?none`, greeting: [], answers: [] }),
    join: (channel) => channel,
    joined: 'joined ',
    openIntake(kind) {
      if (kind === 'redis') return TcpIntake.open(redisPort as number, takeRedisReply);
      return kind === 'http'
        ? TcpIntake.open(port, takeHttpReply)
        : WebSocketIntake.open(`ws://127.0.0.1:${port}/intake`);
    },
    encode(kind, channel, sequence, count, size) {
      const frames = numbers(sequence, count).map((number) => messageFrame(channel, number, size, dialect));
      if (kind === 'redis') return frames.map((frame) => redisCommand('PUBLISH', channel.name, frame)).join('');
      const messages = frames.map((frame) => `${channel.name} ${frame}`);
      if (kind === 'websocket') return Buffer.concat(messages.map(dataFrame));
      return httpPost(port, '/intake', `${messages.join('\n')}\n`);
    },
  };
}

const SUBPROTOCOLS = { json: JSON_SUBPROTOCOL, compact: COMPACT_SUBPROTOCOL } as const;

const CONNECT = '{"type":"connect","id":1,"client":"bench/1"}';
const SUBSCRIBED = '{"type":"subscribed"';

function join(channel: string, since?: Position): string {
  return JSON.stringify({ type: 'subscribe', id: 2, channel, since });
}

const FANFARE = fileURLToPath(new URL('../../../gateway/bin/fanfare.mjs', import.meta.url));

/** Starts a gateway as `npm start` does, in development mode, where rates are not limited. */
export async function startFanfare({
  redisPort,
  nodeFlags = [],
  core,
  workers = 1,
  dialect = 'compact',
}: ServerOptions = {}): Promise<Contender> {
  if (!existsSync(FANFARE)) throw new Error('the gateway is not built: npm run build');
  const env: NodeJS.ProcessEnv = {
    NODE_ENV: '',
    FANFARE_MODE: 'development',
    FANFARE_LOG_LEVEL: 'info',
    FANFARE_LIMIT_SUBSCRIPTIONS: '0',
    FANFARE_REDIS_URL: redisPort === undefined ? '' : `redis://127.0.0.1:${redisPort}`,
  };
  const args = [...COLLECT, ...nodeFlags, FANFARE, 'serve', '--port', '0', '--workers', String(workers)];
  // Each of several workers says that it listens, and then the primary, with their number.
  const ready = workers === 1 ? /listening.*http:\/\/\S+:(\d+)/ : /listening.*http:\/\/\S+:(\d+) workers=/;
  const { server, match } = await ServerProcess.start(process.execPath, args, ready, { env, core });
  const port = Number(match[1]);
  const opened = {
    url: `ws://127.0.0.1:${port}/ws`,
    subprotocol: SUBPROTOCOLS[dialect],
    greeting: [CONNECT],
    ready: '{"type":"connected"',
    answers: GATEWAY_ANSWERS,
  };
  return {
    name: 'Fanfare',
    server,
    port,
    subscribe: ({ name }, since) => ({
      ...opened,
      greeting: [CONNECT, join(name, since)],
      ready: SUBSCRIBED,
    }),
    connect: () => opened,
    join,
    joined: SUBSCRIBED,
    async openIntake(kind) {
      if (kind !== 'websocket') return TcpIntake.open(port, takeHttpReply);
      const intake = await WebSocketIntake.open(`ws://127.0.0.1:${port}/ws`);
      intake.write(dataFrame(CONNECT));
      return intake;
    },
    encode(kind, { name }, sequence, count, size) {
      const channel = JSON.stringify(name);
      const payloads = numbers(sequence, count).map((number) => payload(number, size));
      if (kind === 'websocket') {
        const frame = (data: string, index: number) =>
          dataFrame(`{"type":"publish","id":${sequence + index + 2},"channel":${channel},"data":${data}}`);
        return Buffer.concat(payloads.map(frame));
      }
      const messages = payloads.map((data) => `{"channel":${channel},"data":${data}}`);
      const body = messages.length === 1 ? (messages[0] as string) : `{"messages":[${messages.join(',')}]}`;
      return httpPost(port, '/v1/publish', body);
    },
  };
}

/** The frame that a gateway would send, since the baseline is fed frames of the same size. */
function messageFrame({ name, durable }: BenchChannel, sequence: number, size: number, dialect: BenchDialect): string {
  if (dialect === 'compact') return `["${name}",${durable ? sequence : 0},${Date.now()},${payload(sequence, size)}]`;
  const offset = durable ? `"offset":${sequence},` : '';
  return `{"type":"message","channel":"${name}",${offset}"data":${payload(sequence, size)},"time":${Date.now()}}`;
}

function numbers(from: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => from + index);
}

/** A command in the protocol of Redis. */
export function redisCommand(...words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;
}
