/** `GET /v1/why`: what became of a message, on all gateways. */
import { isChannelName } from '@fanfare/protocol';
import { FanfareError } from '../errors.js';
import type { HttpResponse } from '../transport/transport.js';
import type { WhyCalls } from '../why/calls.js';
import { json } from './fleet.js';
import { readQuery } from './query.js';
import type { ApiCaller, Routes } from './route.js';

const MAX_SESSION_LENGTH = 255;

export function createWhyRoutes(calls: WhyCalls): Routes {
  return [['/v1/why', { scope: 'admin', GET: (request, caller) => why(readQuery(request.query), caller, calls) }]];
}

/** @throws {FanfareError} */
async function why(query: URLSearchParams, { identity }: ApiCaller, calls: WhyCalls): Promise<HttpResponse> {
  const channel = query.get('channel');
  if (!isChannelName(channel)) throw new FanfareError('bad_request', 'channel must be a channel name');
  if (!identity?.administers(channel)) throw new FanfareError('forbidden', `the API key is not for ${channel}`);
  const offset = integer('offset', query.get('offset'), 1);
  const epoch = query.has('epoch') ? integer('epoch', query.get('epoch'), 1) : undefined;
  const session = query.get('session') ?? undefined;
  if (session === '' || (session?.length ?? 0) > MAX_SESSION_LENGTH)
    throw new FanfareError('bad_request', `session must be 1 to ${MAX_SESSION_LENGTH} characters`);
  return json(await calls.why({ channel, offset, epoch, session }));
}

function integer(name: string, text: string | null, min: number): number {
  const value = Number(text);
  if (text !== null && /^\d{1,16}$/.test(text) && Number.isSafeInteger(value) && value >= min) return value;
  throw new FanfareError('bad_request', `${name} must be an integer from ${min} on`);
}
