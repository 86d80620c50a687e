import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { IncomingBody } from './http-body.js';
import type { HttpContext } from './http-context.js';
import { hasBody, statusLine } from './http-headers.js';
import type { HttpBody, HttpResponse } from './transport.js';
import { plainAddress } from './ws-socket.js';

/** How much of a body is read and thrown away after the answer, bytes; then the connection is cut. */
const DISCARDED_BODY_BYTES = 4 * 1024 * 1024;

/** The path and the raw query string of a request target, which may be in absolute form (RFC 9112 section 3.2.2). */
export function splitTarget(asked: string): { path: string; query: string } {
  const target = asked.startsWith('/') ? asked : asked.replace(/^https?:\/\/[^/?]*\/?/i, '/');
  const mark = target.indexOf('?');
  return mark < 0 ? { path: target, query: '' } : { path: target.slice(0, mark), query: target.slice(mark + 1) };
}

export function headerOf(message: IncomingMessage, name: string): string {
  const value = message.headers[name];
  return Array.isArray(value) ? value.join(', ') : (value ?? '');
}

/** Answers one HTTP request. If the peer gives up the upload, no handler is asked for an answer. */
export async function serveWs(message: IncomingMessage, response: ServerResponse, context: HttpContext): Promise<void> {
  const { socket } = message;
  context.open++;
  answering.add(socket);
  await serve(message, response, context);
  answering.delete(socket);
  context.open--;
}

/** Sockets whose request was handed over and is not answered yet. */
const answering = new WeakSet<Socket>();
/** Sockets of which the body of a request is being read. */
const reading = new WeakSet<Socket>();

/** The status with which Node answers these errors of its parser; any other error is 400. */
const BAD_REQUEST_STATUS: Readonly<Record<string, number>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 408,
  HPE_HEADER_OVERFLOW: 431,
};

/**
 * Ends a connection that brought no valid request, or none in time. If an answer may have begun already, nothing is
 * written into it.
 */
export function refuseBadRequest(error: NodeJS.ErrnoException, socket: Socket, { onSlow }: HttpContext): void {
  const isReading = reading.has(socket);
  if (error.code === 'ERR_TLS_HANDSHAKE_TIMEOUT') onSlow('httpHeadMs');
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') onSlow(isReading ? 'httpRequestMs' : 'httpHeadMs');
  if (socket.writable && (isReading || !answering.has(socket))) {
    const status = BAD_REQUEST_STATUS[error.code ?? ''] ?? 400;
    socket.write(`HTTP/1.1 ${statusLine(status)}\r\nConnection: close\r\n\r\n`);
  }
  socket.destroy(error);
}

async function serve(message: IncomingMessage, response: ServerResponse, context: HttpContext): Promise<void> {
  let isLent = true;
  const answer = context.handler({
    method: message.method === 'HEAD' ? 'GET' : (message.method ?? ''),
    ...splitTarget(message.url ?? '/'),
    header: (name) => (isLent ? headerOf(message, name) : ''),
    remoteAddress: context.clientAddress(
      plainAddress(message.socket.remoteAddress),
      headerOf(message, 'x-forwarded-for'),
    ),
  });
  isLent = false;
  if (typeof answer !== 'function') {
    discard(message);
    await write(response, await answer, context);
  } else if (context.isTooLarge(headerOf(message, 'content-length'))) {
    discard(message);
    await write(response, await answer('too_large'), context);
  } else {
    const incoming = context.newBody();
    const body = await read(message, incoming);
    if (body !== 'aborted') await write(response, await answer(body), context);
    incoming.release();
  }
}

/** Writes the answer. Resolves once it has left, or once nobody waits for it any more. */
function write(response: ServerResponse, answer: HttpResponse, { isStopping }: HttpContext): Promise<void> {
  const { status, headers, body } = answer;
  response.statusCode = status;
  for (const [name, value] of headers) response.appendHeader(name, value);
  // A connection closed with unread bytes is reset, and the answer may be lost.
  if (isStopping && response.req.complete) response.setHeader('Connection', 'close');
  return new Promise((resolve) => {
    response.once('close', resolve);
    if (response.destroyed) resolve();
    if (!hasBody(status)) {
      response.end();
    } else {
      response.setHeader('Content-Length', Buffer.byteLength(body));
      response.end(body);
    }
  });
}

function read(message: IncomingMessage, body: IncomingBody): Promise<HttpBody | 'aborted'> {
  const { socket } = message;
  reading.add(socket);
  return new Promise<HttpBody | 'aborted'>((resolve) => {
    // How many bytes are still to come, where that is known. A body in chunks does not say.
    let left = Number(headerOf(message, 'content-length'));
    const onData = (chunk: Buffer) => {
      left -= chunk.length;
      const problem = body.add(chunk, left === 0);
      if (!problem) return;
      message.off('data', onData);
      discard(message);
      resolve(problem);
    };
    message.on('data', onData);
    message.on('end', () => resolve(body.bytes));
    message.on('close', () => resolve('aborted'));
  }).finally(() => reading.delete(socket));
}

/**
 * Reads the rest of a body and throws it away, so that the connection stays. A connection that is closed with unread
 * bytes is reset, and a client that is still sending may never see its answer.
 */
function discard(message: IncomingMessage): void {
  let bytes = 0;
  message.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > DISCARDED_BODY_BYTES) message.socket.destroy();
  });
}
