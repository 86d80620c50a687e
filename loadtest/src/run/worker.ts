/** A generator process: it holds its share of connections and publishers, and does what its parent asks. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { AckLog, AckSummary } from '../audit/ack-log.js';
import { Receipts } from '../audit/receipts.js';
import { setClockOffset } from '../clock.js';
import { DIALECTS, subprotocolsOf } from '../generators/dialects.js';
import { HttpLink, type PublishLink, WebSocketLink } from '../generators/publish-link.js';
import { Publisher } from '../generators/publisher.js';
import { SdkLink } from '../generators/sdk-link.js';
import { sizeDrawer } from '../generators/sizes.js';
import { Subscriber } from '../generators/subscriber.js';
import { tokenFor } from '../generators/tokens.js';
import { seededRandom } from '../random.js';
import { channelCount, type Group, type Publish } from '../scenario/scenario.js';
import { Crowd } from './crowd.js';
import { channelName, type Loss, type Share, type WorkerPlan, type WorkerReply, type WorkerRequest } from './plan.js';
import { linkCount } from './shares.js';
import { Tally } from './tally.js';

/** How many channels one witness of the closed model is on. */
const WITNESSED = 100;
/**
 * How many messages one connection takes before the next one is asked. For batches it is as many as the scenario says.
 */
const MESSAGES_AT_ONCE: { readonly [by in Publish['by']]?: number } = { http: 1, websocket: 1_000, sdk: 1 };
const POLL_MS = 20;
/** How long to wait after everything came, ms, so that messages that come twice are seen. */
const LINGER_MS = 300;

const tally = new Tally();
const crowds: Crowd[] = [];
const publishers: Publisher[] = [];
const witnesses: Subscriber[] = [];
let plan: WorkerPlan;
let hasBegun = false;

function begin(asked: WorkerPlan): void {
  plan = asked;
  setClockOffset(plan.clockOffsetUs);
  for (const share of plan.shares) {
    const random = seededRandom(plan.seed + share.first * 7919);
    crowds.push(new Crowd({ share, plan, tally, random, hasBegun: () => hasBegun }));
    if (share.publishes) publishers.push(publisherOf(share));
  }
}

function publisherOf({ name, group, firstStream }: Share): Publisher {
  const settings = group.publish as NonNullable<typeof group.publish>;
  const { urls, apis, apiKey, tokens } = plan.target;
  const channels = Array.from({ length: channelCount(group) }, (_, index) =>
    channelName(group, plan.runId, name, index),
  );
  const links = Array.from({ length: linkCount(settings) }, (_, index): PublishLink => {
    const turned = apis.map((_, turn) => new URL(apis[(index + turn) % apis.length] as string));
    const batch = settings.by === 'http-batch' ? settings.batch : 1;
    const { by, sure, durability } = settings;
    if (by === 'http' || by === 'http-batch') return new HttpLink({ apis: turned, apiKey, batch, sure, durability });
    const dialect = DIALECTS[group.dialect];
    const namespace = group.namespace ?? (group.durable ? 'demo' : 'live');
    const token = tokenFor(tokens, `load-publisher-${index}`, [namespace]);
    const onRefused = (code: number, reason: string) => tally.refuse(code, reason);
    const link = { dialect, token, durability, onRefused };
    let attempt = index;
    const url = () => urls[attempt++ % urls.length] as string;
    if (by === 'sdk') return new SdkLink({ ...link, url });
    return new WebSocketLink({ ...link, target: { url: new URL(url()), subprotocol: subprotocolsOf(dialect) } });
  });
  const publisher = new Publisher({
    channels,
    model: settings.rate === undefined ? { inFlight: settings.inFlight ?? 1 } : { rate: settings.rate },
    firstStream,
    links,
    batch: MESSAGES_AT_ONCE[settings.by] ?? settings.batch,
    drawSize: sizeDrawer(settings.size, seededRandom(plan.seed + firstStream)),
    tally,
  });
  if (settings.inFlight !== undefined) openWitnesses(channels, group, publisher);
  return publisher;
}

/** Opens subscribers in this process that tell the closed model what has been delivered. */
function openWitnesses(channels: readonly string[], group: Group, publisher: Publisher): void {
  const dialect = DIALECTS[group.dialect];
  for (let from = 0; from < channels.length; from += WITNESSED) {
    const receipts = channels.slice(from, from + WITNESSED).map((channel) => new Receipts(channel, group.durable));
    const witness = new Subscriber(
      { label: `witness#${witnesses.length}`, index: witnesses.length, receipts, presence: false },
      {
        tally,
        dialect,
        verifyEvery: plan.verifyEvery,
        hasBegun: () => hasBegun,
        token: () => tokenFor(plan.target.tokens, 'load-witness', [(channels[0] as string).split(':')[0] as string]),
        target: () => ({ url: new URL(plan.target.urls[0] as string), subprotocol: subprotocolsOf(dialect) }),
      },
    );
    witness.onDelivery = () => publisher.delivered();
    witnesses.push(witness);
    witness.open();
  }
}

function setLoad(connections: number, publish: number | undefined): void {
  for (const crowd of crowds) crowd.load = connections;
  if (publish === undefined) {
    for (const publisher of publishers) publisher.stop();
    return;
  }
  for (const publisher of publishers) {
    if (hasBegun) publisher.load = publish;
    else publisher.start(publish);
  }
  hasBegun = true;
}

async function audit(summaries: readonly AckSummary[], patienceMs: number): Promise<Loss[]> {
  const acks = new Map<string, AckSummary[]>();
  for (const ack of summaries) acks.set(ack.channel, [...(acks.get(ack.channel) ?? []), ack]);
  for (const crowd of crowds) crowd.release();
  let received = -1;
  for (let until = performance.now() + patienceMs; ; ) {
    const beganAt = performance.now();
    if (crowds.every((crowd) => crowd.isSettled(acks))) break;
    const now = performance.now();
    if (tally.audit.received !== received) until = now + patienceMs;
    if (now > until) break;
    received = tally.audit.received;
    // Looking through a large crowd takes a while, in which nothing is received.
    await sleep(Math.max(POLL_MS, 4 * (now - beganAt)));
  }
  await sleep(LINGER_MS);
  return crowds.flatMap((crowd) => crowd.audit(acks));
}

/** Cuts connections of one group, or of all groups and then of the publishers too. */
function cut(share: number, seed: number, group: string | undefined): void {
  for (const [index, crowd] of crowds.entries())
    if (group === undefined || crowd.name === group) crowd.cut(share, chance(seed, index));
  if (group !== undefined) return;
  for (const [index, publisher] of publishers.entries()) publisher.cut(share, chance(seed, crowds.length + index));
}

/** Returns the random numbers that choose connections. They differ for each crowd and publisher, in every process. */
function chance(seed: number, index: number): () => number {
  return seededRandom(seed + plan.seed + index * 7_919);
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}

function logs(): AckLog[] {
  return publishers.flatMap((publisher) => [...publisher.logs.values()]);
}

async function handle(request: WorkerRequest): Promise<Omit<WorkerReply, 'id'>> {
  switch (request.do) {
    case 'begin':
      begin(request.plan);
      return {};
    case 'load':
      setLoad(request.connections, request.publish);
      return {};
    case 'tick':
      return { tick: tally.tick() };
    case 'cut':
      cut(request.share, request.seed, request.group);
      return {};
    case 'stall':
      for (const [index, crowd] of crowds.entries())
        crowd.stall(request.share, request.ms, chance(request.seed, index));
      return {};
    case 'open':
      return {
        open: sum(publishers.map(({ open }) => open)),
        skipped: sum(publishers.map(({ skipped }) => skipped)),
      };
    case 'acks':
      return { acks: logs().map((log) => log.summary()) };
    case 'audit': {
      const losses = await audit(request.acks, request.patienceMs);
      return { losses, tick: tally.tick(), offenders: tally.offenders };
    }
    case 'positions':
      return {
        positions: request.wanted.map(({ channel, stream, n }) =>
          logs()
            .find((log) => log.channel === channel && log.stream === stream)
            ?.positionOf(n),
        ),
      };
    case 'close':
      for (const crowd of crowds) crowd.close();
      for (const witness of witnesses) witness.close();
      for (const publisher of publishers) publisher.close();
      setTimeout(() => process.exit(0), 50);
      return {};
  }
}

/** Answers the parent. If it is gone, it needs no answer. */
function answer(reply: WorkerReply): void {
  process.send?.(reply, undefined, undefined, () => {});
}

process.on('message', ({ id, request }: { id: number; request: WorkerRequest }) => {
  handle(request).then(
    (reply) => answer({ id, ...reply }),
    (error: Error) => answer({ id, error: error.message }),
  );
});
// The parent ends this process; a Ctrl-C at a terminal reaches both.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {});
process.on('disconnect', () => process.exit(0));
