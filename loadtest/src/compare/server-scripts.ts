/**
 * The Socket.IO baseline: one server with the Redis adapter. Its emitter publishes through Redis, as another process of
 * a deployment would. It is run in the folder that has its dependencies, and is written as text because this package
 * does not have them.
 */
export const SOCKET_IO_SERVER = `
import { createServer } from 'node:http';
import { createAdapter } from '@socket.io/redis-adapter';
import { Emitter } from '@socket.io/redis-emitter';
import { createClient } from 'redis';
import { Server } from 'socket.io';

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
http.listen(0, '127.0.0.1', () => console.log('listening ' + http.address().port));
`;

/** The plain `ws` baseline, which sends every message to every socket. */
export const WS_SERVER = `
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';

const http = createServer((request, response) => {
  let body = '';
  request.on('data', (chunk) => { body += chunk; });
  request.on('end', () => {
    for (const text of body.split('\\n')) for (const socket of sockets.clients) socket.send(text);
    response.end('ok');
  });
});
const sockets = new WebSocketServer({ server: http, perMessageDeflate: false });
sockets.on('connection', (socket) => socket.send('ready'));
http.listen(0, '127.0.0.1', () => console.log('listening ' + http.address().port));
`;
