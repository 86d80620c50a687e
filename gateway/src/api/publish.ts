/** `POST /v1/publish`: the hot path of the HTTP API. */
import { isReached, mostWanted } from '../broker/broker.js';
import type { Caller } from '../channels/access.js';
import type { Publishing, PublishOutcome } from '../channels/publishing.js';
import { FanfareError } from '../errors.js';
import { withTraceparent } from '../traceparent.js';
import type { HttpResponse } from '../transport/transport.js';
import type { KeyRates } from './key-rates.js';
import { type Header, toErrorItem, toProblem } from './problem.js';
import { type PublishItem, type PublishRequest, readPublishRequest } from './publish-request.js';
import type { ApiCaller } from './route.js';

const JSON_HEADERS: readonly Header[] = [['content-type', 'application/json']];

/** @throws {FanfareError | MalformedFrameError} if the request itself cannot be taken */
export function publish(
  body: Uint8Array,
  caller: ApiCaller,
  publishing: Publishing,
  rates?: KeyRates,
): Promise<HttpResponse> {
  const request = traced(
    readPublishRequest(body, (name) => publishing.decide(caller, name)),
    caller.traceparent,
  );
  if (caller.identity) rates?.take(caller.identity.keyName, 'one' in request ? 1 : request.many.length);
  return 'one' in request ? publishOne(request.one, caller, publishing) : publishMany(request.many, caller, publishing);
}

/** The request, with its `traceparent` added to each message. */
function traced(request: PublishRequest, traceparent: string | undefined): PublishRequest {
  if (traceparent === undefined) return request;
  const trace = (item: PublishItem) => ({ ...item, message: withTraceparent(item.message, traceparent) });
  if ('one' in request) return { one: trace(request.one) };
  return { many: request.many.map((item) => (item instanceof FanfareError ? item : trace(item))) };
}

async function publishOne(item: PublishItem, caller: Caller, publishing: Publishing): Promise<HttpResponse> {
  const { channel, message, safety } = item;
  const [outcome] = await publishing.publish(caller, channel, [message], safety.replicas);
  if (outcome instanceof FanfareError) return toProblem(outcome);
  return {
    status: 200,
    headers: JSON_HEADERS,
    body: toResult(JSON.stringify(channel.name), item, outcome as PublishOutcome),
  };
}

/**
 * Publishes many messages, with one publish for each channel, all at once. The results are in the order of the items.
 */
async function publishMany(
  items: readonly (PublishItem | FanfareError)[],
  caller: Caller,
  publishing: Publishing,
): Promise<HttpResponse> {
  const results = items.map((item) => (item instanceof FanfareError ? toErrorItem(item) : ''));
  await Promise.all(
    groupByChannel(items).map(async (indexes) => {
      const group = indexes.map((index) => items[index] as PublishItem);
      const { channel } = group[0] as PublishItem;
      // If one message asks for replicas, the others of its channel wait with it.
      const replicas = mostWanted(group.map(({ safety }) => safety.replicas));
      const messages = group.map(({ message }) => message);
      const outcomes = await publishing.publish(caller, channel, messages, replicas);
      const name = JSON.stringify(channel.name);
      indexes.forEach((index, nth) => {
        results[index] = toResult(name, group[nth] as PublishItem, outcomes[nth] as PublishOutcome);
      });
    }),
  );
  return { status: 200, headers: JSON_HEADERS, body: `{"results":[${results.join(',')}]}` };
}

/** The indexes of the items that can be published, one list for each channel, in the order given. */
function groupByChannel(items: readonly (PublishItem | FanfareError)[]): readonly number[][] {
  const groups = new Map<string, number[]>();
  items.forEach((item, index) => {
    if (item instanceof FanfareError) return;
    const group = groups.get(item.channel.name);
    if (group) group.push(index);
    else groups.set(item.channel.name, [index]);
  });
  return [...groups.values()];
}

/** @param name the name of the channel, as JSON */
function toResult(name: string, { channel, safety }: PublishItem, outcome: PublishOutcome): string {
  if (outcome instanceof FanfareError) return toErrorItem(outcome);
  const { position, duplicate, reached } = outcome;
  const { durability, replicas } = safety;
  let text = `{"channel":${name}`;
  if (position) text += `,"epoch":"${position.epoch}","offset":${position.offset}`;
  if (duplicate) text += ',"duplicate":true';
  // Only messages that asked for replicas are told about them. The others of a batch merely waited too.
  if (replicas !== undefined && reached) {
    const { replicas: count, of } = reached;
    text += `,"durability":"${isReached(reached, replicas) ? 'replicated' : 'stored'}","replicas":${count},"of":${of}`;
  } else if (durability === 'stored' && channel.durable) text += ',"durability":"stored"';
  return `${text}}`;
}
