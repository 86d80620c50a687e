/** An application that takes webhooks: a real HTTP server that checks signatures and remembers events. */
import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ReceivedEvent {
  readonly id: string;
  readonly type: string;
  readonly channel: string;
  readonly time: number;
  readonly [field: string]: unknown;
}

export interface WebhookReceiver {
  readonly url: string;
  readonly secret: string;
  /** Of requests that were answered 200, in order; an event that came twice stands here twice. */
  readonly events: readonly ReceivedEvent[];
  /** Requests that were answered otherwise. */
  readonly refusals: number;
  /** Requests whose signature was wrong. */
  readonly forgeries: number;
  /** What is answered from now on; a function may hold the answer up. */
  answer: number | (() => Promise<number>);
  stop(): Promise<void>;
}

export async function startWebhookReceiver(): Promise<WebhookReceiver> {
  const key = Buffer.alloc(32, 'k');
  const events: ReceivedEvent[] = [];
  let refusals = 0;
  let forgeries = 0;
  let answer: WebhookReceiver['answer'] = 200;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', async () => {
      const body = Buffer.concat(chunks).toString();
      const id = request.headers['webhook-id'];
      const time = request.headers['webhook-timestamp'];
      const expected = `v1,${createHmac('sha256', key).update(`${id}.${time}.${body}`).digest('base64')}`;
      if (request.headers['webhook-signature'] !== expected) forgeries++;
      const status = typeof answer === 'number' ? answer : await answer();
      if (status === 200) events.push(...(JSON.parse(body) as { events: ReceivedEvent[] }).events);
      else refusals++;
      response.writeHead(status).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/hook`,
    secret: `whsec_${key.toString('base64')}`,
    events,
    get refusals() {
      return refusals;
    },
    get forgeries() {
      return forgeries;
    },
    get answer() {
      return answer;
    },
    set answer(next) {
      answer = next;
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
