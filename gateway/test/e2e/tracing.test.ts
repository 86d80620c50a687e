/** W3C Trace Context from publishers to subscribers, and the OpenTelemetry spans between them. */
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { FrameClient } from '../support/frame-client.js';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = 'b7ad6b7169203331';
const TRACEPARENT = `00-${TRACE}-${PARENT}-01`;
const SDK = fileURLToPath(new URL('../support/register-otel.mjs', import.meta.url));
const POLL = { timeout: 60_000, interval: 20 };

async function start(settings: Readonly<Record<string, string>> = {}, env: Readonly<Record<string, string>> = {}) {
  const gateway = await startGatewayProcess({ settings, env });
  onTestFinished(() => gateway.stop());
  const client = await FrameClient.open(gateway.port);
  onTestFinished(() => client.close());
  for (const channel of ['demo:t', 'live:t']) await client.ask({ type: 'subscribe', channel });
  return { gateway, client };
}

async function post({ httpUrl }: GatewayProcess, traceparent: string, body: object) {
  const headers = { authorization: 'Bearer dev', 'content-type': 'application/json', traceparent };
  const response = await fetch(`${httpUrl}/v1/publish`, { method: 'POST', headers, body: JSON.stringify(body) });
  expect(response.status).toBe(200);
  return (await response.json()) as Record<string, unknown>;
}

/** The tags with which a message came. */
async function tagsOf(client: FrameClient, data: unknown) {
  return (await client.until((frame) => frame.type === 'message' && frame.data === data)).tags;
}

/** Spans that have ended, by the name of what they published to. */
function spansIn(gateway: GatewayProcess) {
  const lines = gateway.output().split('\n');
  return lines
    .filter((line) => line.startsWith('SPAN '))
    .map((line) => JSON.parse(line.slice(5)) as Record<string, unknown> & { attributes: Record<string, unknown> });
}

it('a message carries the traceparent of its publisher, however it was published', async () => {
  const { gateway, client } = await start();
  await post(gateway, TRACEPARENT, { channel: 'demo:t', data: 'header' });
  await post(gateway, TRACEPARENT, { channel: 'live:t', data: 'live', tags: { a: 'b' } });
  await post(gateway, TRACEPARENT, {
    messages: [
      { channel: 'demo:t', data: 'batch' },
      { channel: 'demo:t', data: 'own', tags: { traceparent: 'mine' } },
    ],
  });
  await client.ask({ type: 'publish', channel: 'demo:t', data: 'frame', tags: { traceparent: TRACEPARENT } });
  for (const data of ['header', 'batch', 'frame'])
    expect(await tagsOf(client, data)).toEqual({ traceparent: TRACEPARENT });
  expect(await tagsOf(client, 'live')).toEqual({ a: 'b', traceparent: TRACEPARENT });
  expect(await tagsOf(client, 'own')).toEqual({ traceparent: 'mine' });
  const history = await client.ask({ type: 'history', channel: 'demo:t' });
  expect((history.messages as { tags: object }[])[0]?.tags).toEqual({ traceparent: TRACEPARENT });
});

it('a header that is no traceparent is as none', async () => {
  const { gateway, client } = await start();
  const invalid = {
    nonsense: 'hello',
    zeros: `00-${'0'.repeat(32)}-${PARENT}-01`,
    'the forbidden version': `ff-${TRACE}-${PARENT}-01`,
    'upper case': TRACEPARENT.toUpperCase(),
  };
  for (const [data, header] of Object.entries(invalid)) {
    await post(gateway, header, { channel: 'demo:t', data });
    expect(await tagsOf(client, data), data).toBeUndefined();
  }
  await post(gateway, `${TRACEPARENT.replace('00-', 'cc-')}-more`, { channel: 'demo:t', data: 'later version' });
  expect(await tagsOf(client, 'later version')).toEqual({ traceparent: TRACEPARENT.replace('00-', 'cc-') });
});

it('with tracing each publish is a span between that of the publisher and those of subscribers', async () => {
  const { gateway, client } = await start({ TRACING: 'true' }, { NODE_OPTIONS: `--import=${SDK}` });
  const { epoch, offset } = await post(gateway, TRACEPARENT, { channel: 'demo:t', data: 1, key: 'k' });
  await post(gateway, TRACEPARENT, { channel: 'demo:t', data: 1, key: 'k' });
  await client.ask({ type: 'publish', channel: 'live:t', data: 2 });
  const later = `${TRACEPARENT.replace('00-', 'cc-')}-more`;
  await client.ask({ type: 'publish', channel: 'live:t', data: 3, tags: { traceparent: later } });
  await expect.poll(() => spansIn(gateway).length, POLL).toBe(4);
  const [first, second, third, fourth] = spansIn(gateway);
  expect(first).toMatchObject({
    name: 'publish demo',
    kind: 3,
    traceId: TRACE,
    parent: PARENT,
    attributes: {
      'messaging.system': 'fanfare',
      'messaging.destination.name': 'demo:t',
      'messaging.message.id': `${String(epoch)}-${String(offset)}`,
    },
  });
  expect(second?.attributes['fanfare.duplicate']).toBe(true);
  expect(third?.parent).toBeUndefined();
  expect(fourth).toMatchObject({ traceId: TRACE, parent: PARENT });
  expect(await tagsOf(client, 1)).toEqual({ traceparent: `00-${TRACE}-${String(first?.spanId)}-01` });
  expect(await tagsOf(client, 2)).toEqual({ traceparent: `00-${String(third?.traceId)}-${String(third?.spanId)}-01` });
});

it('with tracing and no SDK messages go on as they are', async () => {
  const { gateway, client } = await start({ TRACING: 'true' });
  await post(gateway, TRACEPARENT, { channel: 'demo:t', data: 1 });
  expect(await tagsOf(client, 1)).toEqual({ traceparent: TRACEPARENT });
  await client.ask({ type: 'publish', channel: 'demo:t', data: 2 });
  expect(await tagsOf(client, 2)).toBeUndefined();
});
