/** `GET /v1/why`: what became of a message, on all gateways. */
import { isChannelName } from '@fanfare/protocol';
import { FanfareError } from '../errors.js';
import type { HttpResponse } from '../transport/transport.js';
import type { WhyCalls } from '../why/calls.js';
import { json } from './fleet.js';
import { readName } from './name.js';
import { readQuery } from './query.js';
import type { ApiCaller, ApiRoutes } from './route.js';

export function createWhyRoutes(calls: WhyCalls): ApiRoutes {
  return [['/v1/why', { scope: 'admin', GET: (request, caller) => why(readQuery(request.query), caller, calls) }]];
}

/** @throws {FanfareError} */
async function why(query: URLSearchParams, { identity }: ApiCaller, calls: WhyCalls): Promise<HttpResponse> {
  const channel = query.get('channel');
  if (!isChannelName(channel)) throw new FanfareError('bad_request', 'channel must be a channel name');
  if (!identity?.administers(channel)) throw new FanfareError('forbidden', `the API key is not for ${channel}`);
  const offset = readCount('offset', query.get('offset'));
  const epoch = query.has('epoch') ? readCount('epoch', query.get('epoch')) : undefined;
  const session = query.has('session') ? readName('session', query.get('session')) : undefined;
  return json(await calls.why({ channel, offset, epoch, session }));
}

/** An integer from 1 on. @throws {FanfareError} */
function readCount(name: string, text: string | null): number {
  const value = Number(text);
  if (text !== null && /^\d{1,16}$/.test(text) && Number.isSafeInteger(value) && value > 0) return value;
  throw new FanfareError('bad_request', `${name} must be an integer from 1 on`);
}
