import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, createClient } from '@fanfare/client';
import { payloadOf } from './ledger.js';
import { Sockets } from './sockets.js';
import { makeTrouble, type TroublePlan } from './trouble.js';

/** Clients that publish by turns; their sockets are cut like all others. */
const PUBLISHERS = 4;
const STROKE_MS = 10;
/** Longer than the backoff after a few cuts in a row, so that every publish gets its answer, ms. */
const REQUEST_TIMEOUT_MS = 120_000;

interface PublishingPlan {
  readonly url: string;
  readonly channel: string;
  readonly messages: number;
  readonly perSecond: number;
  readonly meanBytes: number;
  readonly trouble: TroublePlan;
}

export interface PublishingOutcome {
  /** Offset by message; 0: was not acknowledged. */
  readonly acknowledged: Uint32Array;
  readonly cuts: number;
  /** Acknowledged as published before: the connection was cut between the log and the answer. */
  readonly repeated: number;
  /** Why messages were not acknowledged, by code. */
  readonly failures: ReadonlyMap<string, number>;
}

/** Publishes at a steady pace, whatever happens to the connections; resolves when every publish is settled. */
export async function publishSteadily(plan: PublishingPlan): Promise<PublishingOutcome> {
  const { url, channel, messages, perSecond, meanBytes, trouble } = plan;
  const sockets = new Sockets(Number(new URL(url).port));
  const clients: Client[] = Array.from({ length: PUBLISHERS }, () =>
    createClient({ url, requestTimeoutMs: REQUEST_TIMEOUT_MS }),
  );
  for (const client of clients) client.on('error', () => {}); // the publish concerned says it as well
  for (const client of clients) client.connect();
  await Promise.all(clients.map((client) => client.ready()));
  const acknowledged = new Uint32Array(messages);
  const failures = new Map<string, number>();
  let repeated = 0;
  const publish = async (n: number) => {
    const client = clients[n % PUBLISHERS] as Client;
    try {
      const { offset = 0, duplicate } = await client.channel(channel).publish(payloadOf(n, meanBytes));
      acknowledged[n] = offset;
      if (duplicate) repeated++;
    } catch (error) {
      const { code = 'unknown' } = error as { code?: string };
      failures.set(code, (failures.get(code) ?? 0) + 1);
    }
  };
  const endTrouble = makeTrouble(sockets, PUBLISHERS, { ...trouble, freezeShare: 0 });
  const publishes: Promise<void>[] = [];
  const beganAt = performance.now();
  while (publishes.length < messages) {
    const due = Math.min(messages, Math.ceil(((performance.now() - beganAt) * perSecond) / 1000));
    while (publishes.length < due) publishes.push(publish(publishes.length));
    await sleep(STROKE_MS);
  }
  endTrouble();
  sockets.release();
  await Promise.all(publishes);
  for (const client of clients) client.close();
  return { acknowledged, cuts: sockets.cuts, repeated, failures };
}
