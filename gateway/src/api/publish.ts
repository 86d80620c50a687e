/** `POST /v1/publish`: the hot path of the HTTP API. */
import type { Broker, Published, PublishOptions, PublishOutcome } from '../broker/broker.js';
import { FanfareError } from '../errors.js';
import type { Namespaces } from '../namespaces.js';
import { count, type Stats } from '../stats.js';
import type { HttpResponse } from '../transport/transport.js';
import { type Header, toErrorItem, toFailure, toProblem } from './problem.js';
import { type PublishItem, readPublishRequest } from './publish-request.js';

export interface PublishDependencies {
  readonly broker: Pick<Broker, 'publish'>;
  readonly namespaces: Namespaces;
  readonly stats: Stats;
  /** Publishers are answered once it resolves: `undefined` unless the gateway cannot send as fast as they publish. */
  readonly room: () => Promise<void> | undefined;
  /** Told of faults that should not happen. */
  readonly onFault: (message: string, error?: unknown) => void;
}

const REPLICATED: PublishOptions = { durability: 'replicated' };
const JSON_HEADERS: readonly Header[] = [['content-type', 'application/json']];

/** @throws {FanfareError | MalformedFrameError} if the request itself cannot be taken. */
export function publish(body: Uint8Array, dependencies: PublishDependencies): Promise<HttpResponse> {
  const request = readPublishRequest(body, dependencies.namespaces);
  return 'one' in request ? publishOne(request.one, dependencies) : publishMany(request.many, dependencies);
}

/** The hot path within the hot path: one promise of the broker, one of the answer. */
function publishOne(item: PublishItem, dependencies: PublishDependencies): Promise<HttpResponse> {
  const { channel, message, durability } = item;
  const respond = (outcome: PublishOutcome | undefined): HttpResponse => {
    const settled = settle(outcome, channel.durable, dependencies);
    if (settled instanceof FanfareError) return toProblem(settled);
    return { status: 200, headers: JSON_HEADERS, body: published(JSON.stringify(channel.name), item, settled) };
  };
  const options = durability === 'replicated' ? REPLICATED : undefined;
  return dependencies.broker.publish(channel, [message], options).then(
    ([outcome]) => {
      const room = dependencies.room();
      return room ? room.then(() => respond(outcome)) : respond(outcome);
    },
    (error: Error) => respond(error),
  );
}

/** One publish a channel, all at once; the results stand in the order of the items. */
async function publishMany(
  items: readonly (PublishItem | FanfareError)[],
  dependencies: PublishDependencies,
): Promise<HttpResponse> {
  const results = items.map((item) => (item instanceof FanfareError ? toErrorItem(item) : ''));
  await Promise.all(
    groupByChannel(items).map(async (indexes) => {
      const group = indexes.map((index) => items[index] as PublishItem);
      const outcomes = await publishGroup(group, dependencies);
      const name = JSON.stringify((group[0] as PublishItem).channel.name);
      indexes.forEach((index, nth) => {
        const outcome = outcomes[nth] as Published | FanfareError;
        results[index] =
          outcome instanceof FanfareError ? toErrorItem(outcome) : published(name, group[nth] as PublishItem, outcome);
      });
    }),
  );
  return { status: 200, headers: JSON_HEADERS, body: `{"results":[${results.join(',')}]}` };
}

/** Indexes of the items that can be published, by channel, in the order given. */
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

/**
 * Publishes items of one channel in one call, which keeps their order; where one asks for a replica
 * the others wait with it. Never rejects: each item has its position or its error.
 */
async function publishGroup(
  items: readonly PublishItem[],
  dependencies: PublishDependencies,
): Promise<(Published | FanfareError)[]> {
  const { channel } = items[0] as PublishItem;
  const isReplicated = items.some(({ durability }) => durability === 'replicated');
  let outcomes: readonly PublishOutcome[];
  try {
    outcomes = await dependencies.broker.publish(
      channel,
      items.map((item) => item.message),
      isReplicated ? REPLICATED : undefined,
    );
    const room = dependencies.room();
    if (room) await room;
  } catch (error) {
    outcomes = items.map(() => error as Error);
  }
  return items.map((_, index) => settle(outcomes[index], channel.durable, dependencies));
}

function settle(
  outcome: PublishOutcome | undefined,
  durable: boolean,
  { stats, onFault }: PublishDependencies,
): Published | FanfareError {
  if (outcome === undefined || outcome instanceof Error) {
    const failure = toFailure(outcome ?? new Error('the broker gave no outcome'));
    count(stats.publishFailures, failure.code);
    if (failure.code === 'internal') onFault('publish failed', failure.cause);
    return failure;
  }
  if (outcome.duplicate) stats.duplicates++;
  else if (durable) stats.publishedDurableHttp++;
  else stats.publishedLiveHttp++;
  return outcome;
}

/** @param name of the channel, as JSON. */
function published(name: string, { channel, durability }: PublishItem, outcome: Published): string {
  const { position, duplicate, replicas, durability: reached = durability } = outcome;
  let text = `{"channel":${name}`;
  if (position) text += `,"epoch":"${position.epoch}","offset":${position.offset}`;
  if (duplicate) text += ',"duplicate":true';
  // The others of a batch wait for a replica with the one that asked for it, and are not told.
  if (durability && channel.durable) text += `,"durability":"${durability === 'stored' ? durability : reached}"`;
  if (durability === 'replicated' && replicas !== undefined) text += `,"replicas":${replicas}`;
  return `${text}}`;
}
