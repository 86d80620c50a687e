import type { IncomingMessage, ServerResponse } from 'node:http';
import { DISCARDED_BODY_BYTES, hasBody, keepHeaders, keptHeader } from './http-headers.js';
import type { HttpRequest, HttpResponse } from './transport.js';
import { plainAddress } from './ws-socket.js';

/** The path and the raw query string of a request target. */
export function splitTarget(target: string): { path: string; query: string } {
  const mark = target.indexOf('?');
  return mark < 0 ? { path: target, query: '' } : { path: target.slice(0, mark), query: target.slice(mark + 1) };
}

export function headerOf(message: IncomingMessage, name: string): string {
  const value = message.headers[name];
  return Array.isArray(value) ? value.join(', ') : (value ?? '');
}

/** Answers one HTTP request; `handler` is not called if the upload is aborted. */
export async function serveWs(
  message: IncomingMessage,
  response: ServerResponse,
  handler: (request: HttpRequest) => HttpResponse | Promise<HttpResponse>,
  maxBodyBytes: number,
): Promise<void> {
  const body =
    message.method === 'GET' || message.method === 'HEAD' ? Buffer.alloc(0) : await readBody(message, maxBodyBytes);
  if (body === 'aborted') return;
  const headers = keepHeaders((name) => headerOf(message, name));
  const answer = await handler({
    method: message.method === 'HEAD' ? 'GET' : (message.method ?? ''),
    ...splitTarget(message.url ?? '/'),
    header: (name) => keptHeader(headers, name),
    remoteAddress: plainAddress(message.socket.remoteAddress),
    body,
  });
  response.statusCode = answer.status;
  for (const [name, value] of answer.headers) response.appendHeader(name, value);
  if (body === 'too_large') response.setHeader('Connection', 'close');
  if (!hasBody(answer.status)) {
    response.end();
  } else {
    response.setHeader('Content-Length', Buffer.byteLength(answer.body));
    response.end(answer.body);
  }
}

function readBody(message: IncomingMessage, maxBytes: number): Promise<Uint8Array | 'too_large' | 'aborted'> {
  return new Promise((resolve) => {
    let chunks: Buffer[] = [];
    let bytes = 0;
    message.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= maxBytes) {
        chunks.push(chunk);
      } else {
        chunks = [];
        if (bytes > maxBytes + DISCARDED_BODY_BYTES) resolve('too_large');
      }
    });
    message.on('end', () => resolve(bytes > maxBytes ? 'too_large' : Buffer.concat(chunks)));
    message.on('close', () => resolve('aborted'));
  });
}
