/** `GET /v1/channels` and `GET /v1/nodes`: what is alive, over all gateways. */
import type { Caller } from '../channels/access.js';
import { FanfareError } from '../errors.js';
import type { Fleet, FleetAnswer } from '../fleet/fleet.js';
import type { HttpResponse } from '../transport/transport.js';

/** Most channels of one answer. */
export const CHANNELS_PAGE = 1000;

/**
 * Lists channels with subscribers whose name starts with `prefix`, in the order of their names. With `cursor` it goes
 * on where another answer ended.
 */
export async function listChannels(query: URLSearchParams, caller: Caller, fleet: Fleet): Promise<HttpResponse> {
  const prefix = query.get('prefix') ?? '';
  if (!caller.identity?.grants.allowsAll('subscribe', prefix)) {
    throw new FanfareError('forbidden', 'the API key is not for all channels with this prefix');
  }
  const after = readCursor(query.get('cursor'));
  const { channels: page, more, missing } = await fleet.channels({ prefix, after, limit: CHANNELS_PAGE });
  const last = page.at(-1);
  const cursor = last && more ? Buffer.from(last.channel).toString('base64url') : undefined;
  return json({ channels: page, ...(cursor && { cursor }), ...told({ missing }) });
}

export async function listNodes(fleet: Fleet): Promise<HttpResponse> {
  const { nodes: list, missing } = await fleet.nodes();
  return json({ nodes: list, ...told({ missing }) });
}

function told({ missing }: FleetAnswer): Partial<FleetAnswer> {
  return missing.length > 0 ? { missing } : {};
}

function readCursor(cursor: string | null): string {
  if (cursor === null) return '';
  if (!/^[\w-]+$/.test(cursor)) throw new FanfareError('bad_request', 'cursor must come from an earlier answer');
  return Buffer.from(cursor, 'base64url').toString();
}

export function json(value: unknown, status = 200): HttpResponse {
  return { status, headers: [['content-type', 'application/json']], body: JSON.stringify(value) };
}
