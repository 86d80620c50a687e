/**
 * The Socket.IO baseline: one server with the Redis adapter. What it is posted is published by an emitter through Redis,
 * as another process of a deployment would do it. What comes over a WebSocket at `/intake`, one message a frame, is
 * emitted by the server itself, as it does with what its own clients send. It is run in the folder that has its dependencies, and is written as text because this package
 * does not have them.
 */
export const SOCKET_IO_SERVER = `
import { createServer } from 'node:http';
import { createAdapter } from '@socket.io/redis-adapter';
import { Emitter } from '@socket.io/redis-emitter';
import { createClient } from 'redis';
import { Server } from 'socket.io';
import { WebSocketServer } from 'ws';

const url = 'redis://127.0.0.1:' + process.argv[2];
const [pub, sub, out] = [createClient({ url }), createClient({ url }), createClient({ url })];
await Promise.all([pub.connect(), sub.connect(), out.connect()]);
const emitter = new Emitter(out);
const http = createServer((request, response) => {
  let body = '';
  request.on('data', (chunk) => { body += chunk; });
  request.on('end', () => {
    for (const text of body.split('\\n')) emitter.to('bench').emit('m', text);
    response.end('ok');
  });
});
const io = new Server(http, { transports: ['websocket'], perMessageDeflate: false, adapter: createAdapter(pub, sub) });
io.on('connection', (socket) => { socket.on('join', async () => { await socket.join('bench'); socket.emit('joined'); }); });
const intakes = new WebSocketServer({ noServer: true });
intakes.on('connection', (socket) => socket.on('message', (data) => io.to('bench').emit('m', data.toString().slice(1, -1))));
http.on('upgrade', (request, socket, head) => {
  if (request.url === '/intake') intakes.handleUpgrade(request, socket, head, (one) => intakes.emit('connection', one));
});
http.listen(0, '127.0.0.1', () => console.log('listening ' + http.address().port));
`;

/**
 * The plain `ws` baseline, which sends every message to every socket. It is posted messages, or is sent one a frame at
 * `/intake`.
 */
export const WS_SERVER = `
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';

const http = createServer((request, response) => {
  let body = '';
  request.on('data', (chunk) => { body += chunk; });
  request.on('end', () => {
    for (const text of body.split('\\n')) broadcast(text);
    response.end('ok');
  });
});
const sockets = new WebSocketServer({ server: http, perMessageDeflate: false });
const readers = new Set();
const broadcast = (text) => { for (const socket of readers) socket.send(text); };
sockets.on('connection', (socket, request) => {
  if (request.url === '/intake') return socket.on('message', (data) => broadcast(data.toString()));
  readers.add(socket);
  socket.on('close', () => readers.delete(socket));
  socket.send('ready');
});
http.listen(0, '127.0.0.1', () => console.log('listening ' + http.address().port));
`;
