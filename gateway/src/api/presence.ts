/** `GET /v1/presence`: who is on a channel, over all gateways. */
import { isChannelName } from '@fanfare/protocol';
import type { Caller, ChannelAccess } from '../channels/access.js';
import { FanfareError } from '../errors.js';
import type { Presence } from '../presence/presence.js';
import { cursorBehind } from '../presence/presence-cursor.js';
import type { HttpRequest, HttpResponse } from '../transport/transport.js';
import { json } from './fleet.js';
import { readLimit, readQuery } from './query.js';
import type { ApiRoutes } from './route.js';

const DEFAULT_LIMIT = 1_000;

export function createPresenceRoutes(access: ChannelAccess, presence: Pick<Presence, 'page'>): ApiRoutes {
  const list = (request: HttpRequest, caller: Caller) =>
    listMembers(readQuery(request.query), caller, access, presence);
  return [['/v1/presence', { scope: 'read', GET: list }]];
}

/** @throws {FanfareError} */
async function listMembers(
  query: URLSearchParams,
  caller: Caller,
  access: ChannelAccess,
  presence: Pick<Presence, 'page'>,
): Promise<HttpResponse> {
  const channel = query.get('channel');
  if (!isChannelName(channel)) throw new FanfareError('bad_request', 'channel must be a channel name');
  const policy = access.decide(caller, 'presence', channel);
  if (policy instanceof FanfareError) throw policy;
  const limit = readLimit(query.get('limit'), DEFAULT_LIMIT);
  const page = await presence.page(channel, query.get('cursor') ?? undefined, limit);
  const { members, count, rev } = page;
  return json({ members, count, rev, ...cursorBehind(page) });
}
