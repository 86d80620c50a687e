import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { compactDialect } from '@fanfare/protocol/compact';
import { subprotocolsOf } from '../generators/dialects.js';
import { GATEWAY_ANSWERS, type Subscribe } from '../generators/reader.js';
import { redisCommand, startBareUws, startFanfare } from '../servers/contender.js';
import type { RedisServer } from '../servers/redis.js';
import { ServerProcess } from '../servers/server-process.js';
import { freePort } from '../topology/redis-servers.js';
import { baselineFolder } from './cache.js';
import type { Entrant } from './entrant.js';
import { SOCKET_IO_SERVER, WS_SERVER } from './server-scripts.js';
import { fedByWebSocket, natsFed } from './singly.js';

interface StartOptions {
  readonly redis: RedisServer;
  /** Size of a message, bytes. */
  readonly size: number;
  readonly print: (line: string) => void;
}

const LISTENING = /listening (\d+)/;

/** Every baseline that can be started on this machine, by name. */
export const ENTRANTS: Readonly<Record<string, (options: StartOptions) => Promise<Entrant>>> = {
  fanfare: async ({ redis }) => {
    const contender = await startFanfare({ redisPort: redis.port });
    const { server, port } = contender;
    const entrant = fanfareAt(`ws://127.0.0.1:${port}/ws`, `http://127.0.0.1:${port}`, 'dev');
    return {
      ...entrant,
      description: 'durable channel, Redis in the path',
      pids: [server.pid],
      singly: { subject: contender, intake: 'websocket' },
      stop: () => server.stop(),
    };
  },
  'bare-uws': async ({ redis }) => {
    const contender = await startBareUws({ redisPort: redis.port });
    const { server, port } = contender;
    return {
      name: 'bare uWS',
      description: 'does nothing but fan out, fed by Redis PUBLISH',
      pids: [server.pid],
      singly: { subject: contender, intake: 'redis' },
      subscribe: countedAt(`ws://127.0.0.1:${port}/ws?bench`, {}),
      publish: tcpPublisher(redis.port, (text) => redisCommand('PUBLISH', 'bench', text)),
      stop: () => server.stop(),
    };
  },
  ws: async ({ size }) => {
    const folder = scriptFolder(ownModules(), WS_SERVER);
    const { server, match } = await ServerProcess.start(process.execPath, [folder.script], LISTENING);
    const subscribe = countedAt(`ws://127.0.0.1:${match[1]}/`, { ready: 'ready' });
    return {
      name: 'ws',
      description: 'the ws package, no broker in the path, remembers nothing',
      pids: [server.pid],
      singly: fedByWebSocket('ws', server, Number(match[1]), { ...subscribe, counted: size }),
      subscribe,
      publish: httpPublisher(`http://127.0.0.1:${match[1]}/intake`, {}, (texts) => texts.join('\n')),
      stop: () => server.stop().finally(folder.remove),
    };
  },
  'socket.io': async ({ redis, print, size }) => {
    const folder = scriptFolder(path.join(baselineFolder(print), 'node_modules'), SOCKET_IO_SERVER);
    const { server, match } = await ServerProcess.start(
      process.execPath,
      [folder.script, String(redis.port)],
      LISTENING,
    );
    const subscribe = countedAt(`ws://127.0.0.1:${match[1]}/socket.io/?EIO=4&transport=websocket`, {
      ready: '42["joined"]',
      answers: [
        ['0', '40'],
        ['40', '42["join"]'],
        ['2', '3'],
      ],
    });
    const counted = '42["m",]'.length + size;
    return {
      name: 'Socket.IO',
      description: 'with its Redis adapter; bursts come from its Redis emitter, single messages from the server itself',
      pids: [server.pid],
      singly: fedByWebSocket('Socket.IO', server, Number(match[1]), { ...subscribe, counted }),
      subscribe,
      publish: httpPublisher(`http://127.0.0.1:${match[1]}/intake`, {}, (texts) => texts.join('\n')),
      stop: () => server.stop().finally(folder.remove),
    };
  },
  nats: async ({ size }) => {
    const [port, webSocketPort] = [await freePort(), await freePort()];
    const folder = mkdtempSync(path.join(tmpdir(), 'fanfare-nats-'));
    const config = path.join(folder, 'nats.conf');
    writeFileSync(
      config,
      `listen: "127.0.0.1:${port}"\nping_interval: "1h"\nwebsocket { listen: "127.0.0.1:${webSocketPort}", no_tls: true }\n`,
    );
    const remove = () => rmSync(folder, { recursive: true, force: true });
    const { server } = await ServerProcess.start('nats-server', ['-c', config], /Server is ready/).catch(
      (error: Error) => {
        remove();
        throw error;
      },
    );
    const subscribe = countedAt(`ws://127.0.0.1:${webSocketPort}/`, {
      greeting: [Buffer.from('CONNECT {"verbose":false,"protocol":1}\r\nSUB bench 1\r\nPING\r\n')],
      ready: 'PONG',
      answers: [['PING', Buffer.from('PONG\r\n')]],
    });
    const counted = `MSG bench 1 ${size}\r\n\r\n`.length + size;
    return {
      name: 'nats-server',
      description: 'core NATS over WebSocket, remembers nothing',
      pids: [server.pid],
      singly: natsFed(server, port, { ...subscribe, counted }),
      subscribe,
      publish: tcpPublisher(port, (text) => `PUB bench ${text.length}\r\n${text}\r\n`, 'CONNECT {"verbose":false}\r\n'),
      stop: () => server.stop().finally(remove),
    };
  },
};

/** Starts a server by its name in {@link ENTRANTS}. */
export function startNamed(name: string, options: StartOptions): Promise<Entrant> {
  const start = ENTRANTS[name];
  if (!start) throw new Error(`there is no ${name}`);
  return start(options).catch((error: Error) => {
    throw new Error(`${name}: ${error.message}`);
  });
}

/** Returns a Fanfare gateway that runs already, here or elsewhere. */
export function fanfareAt(url: string, api: string, apiKey: string): Entrant {
  const channel = `demo:load-compare-${Math.random().toString(36).slice(2, 8)}`;
  const item = (text: string) => `{"channel":"${channel}","data":"${text}"}`;
  return {
    name: 'Fanfare',
    description: `durable channel, ${url}`,
    pids: [],
    subscribe: countedAt(url, {
      subprotocol: subprotocolsOf(compactDialect),
      greeting: ['{"type":"connect","id":1}', `{"type":"subscribe","id":2,"channel":"${channel}"}`],
      ready: '{"type":"subscribed"',
      answers: GATEWAY_ANSWERS,
    }),
    publish: httpPublisher(new URL('/v1/publish', api).href, { authorization: `Bearer ${apiKey}` }, (texts) =>
      texts.length === 1 ? item(texts[0] as string) : `{"messages":[${texts.map(item).join(',')}]}`,
    ),
    stop: async () => {},
  };
}

/**
 * Returns a Centrifugo server that runs already. It is spoken to by its public protocol, JSON commands of a line each
 * over `/connection/websocket`, and by its HTTP API (centrifugal.dev, "Client protocol" and "Server API").
 */
export function centrifugoAt(url: string, api: string, apiKey: string, token: string | undefined): Entrant {
  const channel = `load-compare-${Math.random().toString(36).slice(2, 8)}`;
  return {
    name: 'Centrifugo',
    description: url,
    pids: [],
    subscribe: countedAt(url, {
      greeting: [JSON.stringify({ id: 1, connect: token === undefined ? {} : { token } })],
      ready: '"subscribe":',
      answers: [
        ['{}', '{}'],
        ['{"id":1,"connect":', JSON.stringify({ id: 2, subscribe: { channel } })],
      ],
    }),
    publish: httpPublisher(new URL('/api/batch', api).href, { 'x-api-key': apiKey }, (texts) =>
      JSON.stringify({ commands: texts.map((text) => ({ publish: { channel, data: text } })) }),
    ),
    stop: async () => {},
  };
}

function countedAt(url: string, options: Omit<Partial<Subscribe>, 'url' | 'counted'>): Subscribe {
  return { greeting: [], answers: [], ...options, url, counted: 'markers' };
}

function httpPublisher(
  url: string,
  headers: Readonly<Record<string, string>>,
  encode: (texts: readonly string[]) => string,
): Entrant['publish'] {
  return async (texts) => {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: encode(texts),
    });
    const body = await response.text();
    if (!response.ok || body.includes('"error"')) throw new Error(`${url} refused a publish: ${body.slice(0, 200)}`);
  };
}

/** Returns a publisher over one TCP connection, whose answers are passed over. */
function tcpPublisher(port: number, encode: (text: string) => string, greeting = ''): Entrant['publish'] {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  socket.unref();
  socket.on('error', () => {}); // what was not delivered is missed by its subscribers
  socket.on('data', (chunk) => {
    if (chunk.includes('PING\r\n')) socket.write('PONG\r\n');
  });
  if (greeting) socket.write(greeting);
  return async (texts) => void socket.write(texts.map(encode).join(''));
}

/** Puts a script into a folder of its own, together with these modules. */
function scriptFolder(modules: string, source: string): { readonly script: string; remove(): void } {
  const folder = mkdtempSync(path.join(tmpdir(), 'fanfare-compare-'));
  const script = path.join(folder, 'server.mjs');
  writeFileSync(script, source);
  symlinkSync(modules, path.join(folder, 'node_modules'));
  return { script, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Returns the folder in which this package finds `ws`. */
function ownModules(): string {
  return path.dirname(path.dirname(createRequire(import.meta.url).resolve('ws/package.json')));
}
