/** The demo page at `/`: a folder that is read once and served from memory. */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import type { HttpRequest, HttpResponse } from '../transport/transport.js';
import type { Header } from './problem.js';

/** Files by their path, such as `/` or `/demo.js`. */
export type StaticFiles = ReadonlyMap<string, StaticFile>;

interface StaticFile {
  readonly bytes: Uint8Array;
  readonly contentType: string;
  readonly etag: string;
}

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.map': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.webmanifest': 'application/manifest+json',
  '.woff2': 'font/woff2',
};

/** Only scripts that the gateway itself serves may run. Connections may go to any gateway. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'self'",
  "connect-src 'self' ws: wss: http: https:",
  "img-src 'self' data:",
  "style-src 'self' 'unsafe-inline'",
  "object-src 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Reads every file below the folder. `index.html` is also found at `/`. Files of unknown types are left out. */
export async function loadStaticFiles(folder: string): Promise<StaticFiles> {
  const files = new Map<string, StaticFile>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const contentType = CONTENT_TYPES[extname(entry.name)];
    if (!entry.isFile() || !contentType) continue;
    const file = join(entry.parentPath, entry.name);
    const bytes = await readFile(file);
    const etag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 27)}"`;
    const path = file.slice(folder.length).replaceAll('\\', '/').replace(/^\/?/, '/');
    files.set(path, { bytes, contentType, etag });
    if (path === '/index.html') files.set('/', { bytes, contentType, etag });
  }
  return files;
}

export function serveFile({ bytes, contentType, etag }: StaticFile, request: HttpRequest): HttpResponse {
  const headers: Header[] = [
    ['content-type', contentType],
    ['etag', etag],
    ['cache-control', 'no-cache'],
    ['content-security-policy', CONTENT_SECURITY_POLICY],
    ['x-content-type-options', 'nosniff'],
    ['referrer-policy', 'no-referrer'],
  ];
  return request.header('if-none-match').includes(etag)
    ? { status: 304, headers, body: '' }
    : { status: 200, headers, body: bytes };
}
