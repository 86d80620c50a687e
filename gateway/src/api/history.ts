/** `GET /v1/history`: messages of the log of a channel. */
import { isChannelName, type Position, parsePosition, RESET_REASONS } from '@fanfare/protocol';
import { transcode } from '@fanfare/protocol/raw';
import type { LogRecord } from '../broker/record.js';
import type { Caller } from '../channels/access.js';
import type { Channels } from '../channels/channels.js';
import { FanfareError } from '../errors.js';
import type { HttpResponse } from '../transport/transport.js';
import { problem } from './problem.js';
import { readLimit } from './query.js';

const DEFAULT_LIMIT = 100;
/** About how many bytes of messages one answer may have. A longer page is cut, and says `more`. */
const MAX_ANSWER_BYTES = 512 * 1024;

/** @throws {FanfareError} */
export async function history(
  query: URLSearchParams,
  caller: Caller,
  { access, reading }: Pick<Channels, 'access' | 'reading'>,
): Promise<HttpResponse> {
  const name = query.get('channel');
  if (!isChannelName(name)) throw new FanfareError('bad_request', 'channel must be a channel name');
  const channel = access.decide(caller, 'history', name);
  if (channel instanceof FanfareError) throw channel;
  const after = readPosition(query, 'after');
  const before = readPosition(query, 'before');
  if (after && before) throw new FanfareError('bad_request', 'give at most one of after and before');
  const limit = readLimit(query.get('limit'), DEFAULT_LIMIT);
  const page = await reading.history(channel, { after, before, limit, maxBytes: MAX_ANSWER_BYTES });
  if (!page.ok) return problem(page.reason, RESET_REASONS[page.reason]);
  const { epoch, offset } = page.head;
  const head = JSON.stringify({ epoch: String(epoch), offset });
  return {
    status: 200,
    headers: [['content-type', 'application/json']],
    body: `{"messages":[${page.messages.map(toItem).join(',')}],"more":${page.more},"head":${head}}`,
  };
}

function readPosition(query: URLSearchParams, name: 'after' | 'before'): Position | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  const position = parsePosition(text);
  if (!position) throw new FanfareError('bad_request', `${name} must be <epoch>-<offset>`);
  return position;
}

/** One message as JSON. The payload goes in as it was published. */
function toItem({ epoch, offset, payload, time, user, key, tags }: LogRecord): string {
  const data = Buffer.from(transcode(payload, 'json').bytes).toString();
  const rest = JSON.stringify({ time, user, key, tags });
  return `{"epoch":"${epoch}","offset":${offset},"data":${data},${rest.slice(1)}`;
}
