/** The thread behind {@link Crowd}. */
import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { type Client, createClient, type Subscription } from '@fanfare/client';
import { msgpackDialect } from '@fanfare/client/msgpack';
import type { CrowdAnswer, CrowdOutcome, CrowdPlan, CrowdRequest } from './crowd.js';
import { addCounts, type Payload, Receipts } from './ledger.js';
import { Sockets } from './sockets.js';
import { makeTrouble } from './trouble.js';

/** Clients that connect at a time. */
const CONNECTING = 50;
/** Without anything received for this long, what is missing will not come, ms. */
const PATIENCE_MS = 15_000;
/** In the end, so that what comes twice is seen, ms. */
const LINGER_MS = 300;
const POLL_MS = 50;

interface Subscriber {
  readonly client: Client;
  readonly subscription: Subscription<Payload>;
  readonly receipts: Receipts;
}

const plan = workerData as CrowdPlan;
const sockets = new Sockets(Number(new URL(plan.url).port));
const subscribers: Subscriber[] = [];
const errors = new Map<string, number>();
let endTrouble = () => {};

/** Every other one speaks MessagePack. */
function addSubscriber(index: number): Subscriber {
  const client = createClient({ url: plan.url, ...(index % 2 === 1 && { codec: msgpackDialect }) });
  const onError = ({ message }: Error) => void errors.set(message, (errors.get(message) ?? 0) + 1);
  client.on('error', onError);
  const receipts = new Receipts(plan.capacity, plan.meanBytes);
  const subscription = client
    .channel<Payload>(plan.channel)
    .subscribe(({ data, offset }) => receipts.take(data, offset as number));
  subscription.on('reset', ({ previous, position }) => receipts.reset(previous.offset, position.offset));
  subscription.on('error', onError);
  const subscriber = { client, subscription, receipts };
  subscribers.push(subscriber);
  client.connect();
  client.ready().catch(onError);
  return subscriber;
}

async function subscribeAll(): Promise<void> {
  for (let index = 0; index < plan.clients; index += CONNECTING) {
    const group = Array.from({ length: Math.min(CONNECTING, plan.clients - index) }, (_, i) =>
      addSubscriber(index + i),
    );
    await Promise.all(group.map(({ subscription }) => subscription.ready()));
  }
}

async function finish(acknowledged: Uint32Array): Promise<CrowdOutcome> {
  endTrouble();
  const lastOffset = acknowledged.reduce((last, offset) => Math.max(last, offset), 0);
  // Who is frozen stays so until all others are done, and has the whole run to catch up with.
  await untilCaughtUp(lastOffset, () => sockets.frozen);
  sockets.release();
  await untilCaughtUp(lastOffset, () => 0);
  await sleep(LINGER_MS);
  return {
    balance: subscribers.map(({ receipts }) => receipts.balance(acknowledged)).reduce(addCounts),
    stats: subscribers.map(({ client }) => client.stats).reduce(addCounts),
    cuts: sockets.cuts,
    freezes: sockets.freezes,
    errors,
  };
}

/** Until all but so many have received the last message, or nothing has come for a while. */
async function untilCaughtUp(lastOffset: number, but: () => number): Promise<void> {
  let received = -1;
  for (let waitedMs = 0; waitedMs < PATIENCE_MS; waitedMs += POLL_MS) {
    if (subscribers.filter(({ receipts }) => receipts.lastOffset < lastOffset).length <= but()) return;
    const sum = subscribers.reduce((total, { client }) => total + client.stats.received, 0);
    if (sum !== received) waitedMs = 0;
    received = sum;
    await sleep(POLL_MS);
  }
}

async function handle(request: CrowdRequest): Promise<CrowdAnswer> {
  if (request.do === 'subscribe') await subscribeAll();
  else if (request.do === 'make trouble') endTrouble = makeTrouble(sockets, plan.clients, plan.trouble);
  else return { outcome: await finish(request.acknowledged) };
  return {};
}

parentPort?.on('message', (request: CrowdRequest) => {
  handle(request).then(
    (answer) => parentPort?.postMessage(answer),
    (error: Error) => parentPort?.postMessage({ error: error.message } satisfies CrowdAnswer),
  );
});
