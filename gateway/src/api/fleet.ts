/** `GET /v1/channels` and `GET /v1/nodes`: what is alive. */
import { isChannelName } from '@fanfare/protocol';
import { FanfareError } from '../errors.js';
import type { HttpResponse } from '../transport/transport.js';

export interface ChannelInfo {
  readonly channel: string;
  readonly subscribers: number;
}

export interface NodeInfo {
  readonly node: string;
  readonly version: string;
  readonly connections: number;
  readonly uptimeMs: number;
}

/** All gateways together. */
export interface Fleet {
  /** Channels alive, in any order. */
  channels(): Promise<Iterable<ChannelInfo>>;
  nodes(): Promise<readonly NodeInfo[]>;
}

/** Most channels of one answer. */
export const CHANNELS_PAGE = 1000;

/** Channels with subscribers whose name starts with `prefix`, by name; `cursor` goes on where an answer ended. */
export async function channels(query: URLSearchParams, fleet: Fleet): Promise<HttpResponse> {
  const prefix = query.get('prefix') ?? '';
  const after = readCursor(query.get('cursor'));
  const found = [...(await fleet.channels())]
    .filter(({ channel, subscribers }) => subscribers > 0 && channel > after && channel.startsWith(prefix))
    .sort((a, b) => (a.channel < b.channel ? -1 : 1));
  const page = found.slice(0, CHANNELS_PAGE);
  const last = page.at(-1);
  const cursor = last && found.length > page.length ? Buffer.from(last.channel).toString('base64url') : undefined;
  return json({ channels: page, ...(cursor && { cursor }) });
}

export async function nodes(fleet: Fleet): Promise<HttpResponse> {
  return json({ nodes: await fleet.nodes() });
}

function readCursor(cursor: string | null): string {
  if (cursor === null) return '';
  const name = Buffer.from(cursor, 'base64url').toString();
  if (!isChannelName(name)) throw new FanfareError('bad_request', 'cursor must come from an earlier answer');
  return name;
}

export function json(value: unknown, status = 200): HttpResponse {
  return { status, headers: [['content-type', 'application/json']], body: JSON.stringify(value) };
}
