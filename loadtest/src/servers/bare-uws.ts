/**
 * The baseline: a bare uWebSockets.js server that does nothing but fan out what it is fed.
 *
 * `node bare-uws.js [--redis <port>]`; it prints `listening <port>`. Subscribers connect to `/ws?<topic>`; for each topic
 * that one names later in a message it is told `joined <topic>`. The server is fed with messages, each `<topic> <frame to send on>`,
 * - by a WebSocket at `/intake`, one a frame;
 * - by `POST /intake`, one a line, answered `ok`;
 * - with `--redis`, by a plain Redis subscription to each topic that has subscribers.
 *
 * It is as fast as uWebSockets.js can be. Frames wait in a queue and leave outside of any handler, at most 32 of them
 * and about 15 KB in a turn of the event loop: more would cost a write for each frame, or overrun the cork buffer of 16
 * KiB.
 */

import uWS, { type WebSocket } from 'uWebSockets.js';
import { Redis } from 'ioredis';

const MAX_PUBLISHES_PER_TURN = 32;
const MAX_BYTES_PER_TURN = 15_000;
const LINE_BREAK = 0x0a;
const SPACE = 0x20;

interface Queued {
  readonly topic: string;
  readonly frame: Buffer;
}

const app = uWS.App();
let queue: Queued[] = [];
let next = 0;
let isFlushing = false;

function enqueue(topic: string, frame: Buffer): void {
  queue.push({ topic, frame });
  if (isFlushing) return;
  isFlushing = true;
  setImmediate(flush);
}

function enqueueMessage(message: Buffer): void {
  const space = message.indexOf(SPACE);
  enqueue(message.toString('latin1', 0, space), message.subarray(space + 1));
}

function flush(): void {
  let bytes = 0;
  for (let count = 0; next < queue.length && count < MAX_PUBLISHES_PER_TURN; count++) {
    const { topic, frame } = queue[next] as Queued;
    if (count > 0 && bytes + frame.byteLength > MAX_BYTES_PER_TURN) break;
    bytes += frame.byteLength;
    next++;
    app.publish(topic, frame, false);
  }
  if (next < queue.length) {
    setImmediate(flush);
    return;
  }
  queue = [];
  next = 0;
  isFlushing = false;
}

const redisFlag = process.argv.indexOf('--redis');
const subscriber = redisFlag < 0 ? undefined : new Redis(Number(process.argv[redisFlag + 1]), '127.0.0.1');
/** The subscriptions to Redis, made or under way, by topic. */
const subscribed = new Map<string, Promise<unknown>>();
subscriber?.on('messageBuffer', (topic: Buffer, frame: Buffer) => enqueue(topic.toString('latin1'), frame));

function subscribeToRedis(topic: string): Promise<unknown> | undefined {
  let made = subscribed.get(topic);
  if (!made && subscriber) {
    made = subscriber.subscribe(topic);
    subscribed.set(topic, made);
  }
  return made;
}

async function join(socket: WebSocket<Link>, topic: string): Promise<void> {
  socket.subscribe(topic);
  await subscribeToRedis(topic);
  if (!socket.getUserData().isClosed) socket.send(`joined ${topic}`);
}

interface Link {
  /** The topic of a subscriber; an intake has none. */
  readonly topic: string | undefined;
  isClosed: boolean;
}

for (const path of ['/ws', '/intake']) {
  app.ws<Link>(path, {
    compression: uWS.DISABLED,
    idleTimeout: 0,
    maxBackpressure: 1024 * 1024,
    maxPayloadLength: 1024 * 1024,
    upgrade(response, request, context) {
      response.upgrade<Link>(
        { topic: path === '/intake' ? undefined : request.getQuery(), isClosed: false },
        request.getHeader('sec-websocket-key'),
        request.getHeader('sec-websocket-protocol'),
        request.getHeader('sec-websocket-extensions'),
        context,
      );
    },
    open(socket) {
      const { topic } = socket.getUserData();
      if (topic === undefined) return;
      socket.subscribe(topic);
      void subscribeToRedis(topic);
    },
    message(socket, message) {
      if (socket.getUserData().topic === undefined) enqueueMessage(Buffer.from(message.slice(0)));
      else void join(socket, Buffer.from(message).toString('latin1'));
    },
    close(socket) {
      socket.getUserData().isClosed = true;
    },
  });
}

app.post('/intake', (response) => {
  let body = Buffer.alloc(0);
  response.onAborted(() => {});
  response.onData((chunk, isLast) => {
    body = body.length === 0 ? Buffer.from(chunk.slice(0)) : Buffer.concat([body, Buffer.from(chunk)]);
    if (!isLast) return;
    for (let begin = 0; begin < body.length; ) {
      const end = body.indexOf(LINE_BREAK, begin);
      enqueueMessage(body.subarray(begin, end));
      begin = end + 1;
    }
    response.end('ok');
  });
});

app.listen('127.0.0.1', 0, (listening) => {
  if (!listening) process.exit(1);
  process.stdout.write(`listening ${uWS.us_socket_local_port(listening)}\n`);
});
