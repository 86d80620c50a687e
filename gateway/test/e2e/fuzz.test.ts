import { readdir, readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { framesIn } from '../support/frames-in.js';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';

const VECTORS = new URL('../../../protocol/vectors/', import.meta.url);
const ALLOWED_CLOSES = [1000, 1002, 1006, 1007, 1009, 4400, 4409];
const ROUNDS = 60;
/** What garbage must never be answered with: it is the client's fault, not the gateway's. */
const FAULTS = ['internal', 'unavailable', 'outcome_unknown'];
const PATIENCE = { timeout: 60_000 };

/** A small generator with a printed seed: the same seed gives the same bytes. */
function createRandom(seed: number) {
  let state = seed >>> 0 || 1;
  const next = (bound: number) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % bound;
  };
  return { next, bytes: (length: number) => Buffer.from(Array.from({ length }, () => next(256))) };
}

interface Conversation {
  readonly frames: { type: string; code?: string }[];
  readonly closeCode: number | undefined;
}

/** Connects, sends the frames, and waits a moment, or for so many frames, before it closes. */
function converse(
  url: string,
  subprotocol: string,
  frames: readonly (Buffer | string)[],
  awaited = Number.POSITIVE_INFINITY,
): Promise<Conversation> {
  return new Promise((resolve) => {
    const socket = new WebSocket(url, subprotocol, { perMessageDeflate: false });
    const received: Conversation['frames'] = [];
    socket.on('open', () => {
      socket.send(
        subprotocol.includes('json')
          ? '{"type":"connect","id":1}'
          : Buffer.from([
              0x82,
              0xa4,
              ...Buffer.from('type'),
              0xa7,
              ...Buffer.from('connect'),
              0xa2,
              ...Buffer.from('id'),
              1,
            ]),
      );
      for (const frame of frames) socket.send(frame);
      setTimeout(() => socket.close(1000), awaited < Number.POSITIVE_INFINITY ? PATIENCE.timeout : 40).unref();
    });
    socket.on('message', (data: Buffer, binary) => {
      if (!binary) received.push(...framesIn<(typeof received)[number]>(data));
      if (received.length >= awaited) socket.close(1000);
    });
    socket.on('error', () => {});
    socket.on('close', (closeCode) => resolve({ frames: received, closeCode }));
  });
}

describe.each(['uws', 'ws'])('a gateway on %s under garbage', (transport) => {
  let gateway: GatewayProcess;
  const seed = Date.now() & 0x7fffffff;

  beforeAll(async () => {
    gateway = await startGatewayProcess({ settings: { TRANSPORT: transport } });
  });
  afterAll(() => gateway.stop());

  const residentBytes = async () => {
    const text = await (await fetch(`${gateway.httpUrl}/metrics`)).text();
    return Number(/^process_resident_memory_bytes\S* (\S+)/m.exec(text)?.[1]);
  };

  it(`survives it, answers with the right errors and disturbs nobody (seed ${seed})`, {
    timeout: 180_000,
  }, async () => {
    const random = createRandom(seed);
    const vectors: { json: string; msgpack: Buffer }[] = [];
    for (const name of await readdir(VECTORS)) {
      if (!name.endsWith('.json')) continue;
      const content = JSON.parse(await readFile(new URL(name, VECTORS), 'utf8')) as unknown;
      const list = (Array.isArray(content) ? content : ((content as { vectors?: unknown[] }).vectors ?? [])) as {
        json?: string;
        msgpack?: string;
      }[];
      for (const { json, msgpack } of list) {
        if (typeof json === 'string' && typeof msgpack === 'string')
          vectors.push({ json, msgpack: Buffer.from(msgpack, 'hex') });
      }
    }
    expect(vectors.length).toBeGreaterThan(10);

    // A well-behaved client beside it.
    const witness = new WebSocket(gateway.wsUrl);
    const offsets: number[] = [];
    let isSubscribed = false;
    let witnessClosed = false;
    witness.on('close', () => {
      witnessClosed = true;
    });
    witness.on('message', (data: Buffer) => {
      for (const frame of framesIn<{ type: string; offset: number }>(data)) {
        if (frame.type === 'message') offsets.push(frame.offset);
        isSubscribed ||= frame.type === 'subscribed';
      }
    });
    await new Promise((resolve) => witness.on('open', resolve));
    witness.send('{"type":"connect","id":1}');
    witness.send('{"type":"subscribe","id":2,"channel":"demo:witness"}');
    await expect.poll(() => isSubscribed, PATIENCE).toBe(true);

    const garbage = (): Buffer => {
      const vector = vectors[random.next(vectors.length)] as (typeof vectors)[number];
      const source = random.next(2) === 0 ? Buffer.from(vector.json) : vector.msgpack;
      switch (random.next(7)) {
        case 0:
          return random.bytes(random.next(300));
        case 1:
          return source.subarray(0, random.next(source.length));
        case 2: {
          const flipped = Buffer.from(source);
          for (let i = 0; i < 3; i++) {
            const at = random.next(flipped.length);
            flipped[at] = (flipped[at] as number) ^ (1 << random.next(8));
          }
          return flipped;
        }
        case 3:
          return Buffer.from(
            `{"type":"publish","id":5,"channel":"demo:x","data":${'['.repeat(20_000)}${']'.repeat(20_000)}}`,
          );
        case 4:
          return Buffer.from(`{"type":"subscribe","id":${'9'.repeat(random.next(400) + 1)},"channel":"demo:x"}`);
        case 5:
          return Buffer.from(`{"type":["publish"],"id":{},"channel":${random.next(1e9)},"since":"x","rewind":-1}`);
        default:
          return Buffer.alloc(random.next(3) * 100_000, 0x5b);
      }
    };
    const round = async (count: number) => {
      const closes = new Map<number, number>();
      const codes = new Map<string, number>();
      for (let i = 0; i < count; i += 10) {
        const talks = Array.from({ length: 10 }, () => {
          const json = random.next(2) === 0;
          const frames = Array.from({ length: 1 + random.next(14) }, () => {
            const bytes = garbage();
            return json && random.next(5) > 0 ? bytes.toString('utf8') : bytes;
          });
          return converse(gateway.wsUrl, json ? 'fanfare.json.v1' : 'fanfare.msgpack.v1', frames);
        });
        for (const { frames, closeCode } of await Promise.all(talks)) {
          closes.set(closeCode ?? 0, (closes.get(closeCode ?? 0) ?? 0) + 1);
          for (const { type, code } of frames)
            if (type === 'error') codes.set(code ?? '', (codes.get(code ?? '') ?? 0) + 1);
        }
        await gateway.publish({ channel: 'demo:witness', data: i });
      }
      return { closes, codes };
    };
    await round(ROUNDS);
    const before = await residentBytes();
    const { closes, codes } = await round(ROUNDS * 2);
    expect([...closes.keys()].filter((code) => !ALLOWED_CLOSES.includes(code))).toEqual([]);
    expect([...codes.keys()].filter((code) => FAULTS.includes(code))).toEqual([]);
    expect(codes.get('bad_request')).toBeGreaterThan(0);
    expect(codes.get('too_large')).toBeGreaterThan(0);

    // Thousands of channels that no namespace has.
    const unknown = await converse(
      gateway.wsUrl,
      'fanfare.json.v1',
      Array.from({ length: 3_000 }, (_, i) =>
        JSON.stringify({ type: 'subscribe', id: i + 2, channel: `nowhere:${i}` }),
      ),
      1 + 3_000,
    );
    expect(unknown.frames.filter(({ code }) => code === 'unknown_channel')).toHaveLength(3_000);

    await expect.poll(() => offsets.length, PATIENCE).toBeGreaterThanOrEqual((ROUNDS * 3) / 10);
    expect(witnessClosed).toBe(false);
    expect(offsets).toEqual(Array.from({ length: (ROUNDS * 3) / 10 }, (_, i) => i + 1));
    witness.close();
    const grownMiB = ((await residentBytes()) - before) / 2 ** 20;
    expect(grownMiB).toBeLessThan(64);
    expect(gateway.output()).not.toMatch(/error|fault/i);
  });
});
