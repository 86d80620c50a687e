/**
 * Measures how many messages the SDK takes in a second of CPU, from the frame as it comes to the handler of a
 * subscription, in three forms: as it ships; with `#private` translated for ES2020, which makes a WeakMap of each; and
 * with `#private` left to the engine.
 * There are no sockets. The forms take turns, each round in a process of its own, and the ratio of medians counts.
 * It needs `npm run build`. Run it with: node client-sdk/bench/receive.mjs [rounds]
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const ROUND_MS = 1_500;
const MESSAGES = 20_000;
const sdk = fileURLToPath(new URL('..', import.meta.url));

/** Bundles the sources as one module, with `#private` as the target has it. */
async function bundle(target, outfile) {
  const protocol = path.join(sdk, '../protocol/src');
  await build({
    entryPoints: [path.join(sdk, 'src/index.ts')],
    bundle: true,
    format: 'esm',
    platform: 'browser',
    target,
    outfile,
    tsconfigRaw: { compilerOptions: { useDefineForClassFields: false } },
    alias: {
      '@fanfare/protocol/json': path.join(protocol, 'dialects/json.ts'),
      '@fanfare/protocol/compact': path.join(protocol, 'dialects/compact.ts'),
      '@fanfare/protocol/validate': path.join(protocol, 'validate.ts'),
      '@fanfare/protocol': path.join(protocol, 'index.ts'),
    },
  });
  return outfile;
}

const cpuMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
};

/** Measures how many messages a second of CPU one form takes, in frames of `perFrame` messages. */
async function measure(file, perFrame) {
  const { compactDialect, createClient } = await import(pathToFileURL(file).href);
  const message = (offset) => ({
    type: 'message',
    channel: 'chat:room-42',
    offset,
    data: { user: 'ada', text: 'x'.repeat(40) },
    time: 1_763_800_000_000,
  });
  const frames = Array.from({ length: MESSAGES / perFrame }, (_, n) => {
    const messages = Array.from({ length: perFrame }, (_, i) => message(n * perFrame + i + 1));
    return compactDialect.encode(perFrame === 1 ? messages[0] : messages);
  });
  /** Opens a client on the channel, and returns it with a function that hands it a frame. */
  const open = (handler) => {
    let handlers;
    const send = (wire) => {
      const { type, id, channel } = compactDialect.decode(wire);
      const welcome = {
        type: 'connected',
        id,
        session: 's',
        node: 'n',
        ping: 25_000,
        maxFrame: 65_536,
        idempotencyMs: 1,
      };
      const answer =
        type === 'connect' ? welcome : { type: 'subscribed', id, channel, durable: true, epoch: 'e', offset: 0 };
      handlers.onMessage(compactDialect.encode(answer));
    };
    const socket = (_, given) => {
      handlers = given;
      queueMicrotask(() => handlers.onOpen());
      return { send, close() {}, terminate() {} };
    };
    const client = createClient({ url: 'ws://bench', socket });
    client.channel('chat:room-42').subscribe(handler);
    client.connect();
    return { client, take: (wire) => handlers.onMessage(wire) };
  };
  let received = 0;
  let spentMs = 0;
  // The first pass warms up.
  for (let pass = 0; spentMs < ROUND_MS; pass++) {
    const { client, take } = open(() => received++);
    await client.ready();
    const begin = cpuMs();
    for (const wire of frames) take(wire);
    if (pass > 0) spentMs += cpuMs() - begin;
    else received = 0;
    client.close();
  }
  return (received / spentMs) * 1_000;
}

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];

if (process.argv[2] === '--measure') {
  console.log(await measure(process.argv[3], Number(process.argv[4])));
} else {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'fanfare-receive-'));
  const forms = {
    'as it ships': path.join(sdk, 'dist/index.js'),
    '#private, ES2020': await bundle('es2020', path.join(folder, 'es2020.mjs')),
    '#private, ES2022': await bundle('es2022', path.join(folder, 'es2022.mjs')),
  };
  const rounds = Number(process.argv[2] ?? 5);
  for (const perFrame of [1, 32]) {
    const rates = Object.fromEntries(Object.keys(forms).map((name) => [name, []]));
    for (let round = 0; round < rounds; round++) {
      for (const [name, file] of Object.entries(forms)) {
        const args = [fileURLToPath(import.meta.url), '--measure', file, String(perFrame)];
        rates[name].push(Number(execFileSync(process.execPath, args, { encoding: 'utf8' })));
      }
    }
    const shipped = median(rates['as it ships']);
    console.log(`\n${perFrame} a frame`);
    for (const [name, values] of Object.entries(rates)) {
      const rate = median(values);
      console.log(`  ${name.padEnd(18)} ${Math.round(rate / 1_000)} k/s  ${(rate / shipped).toFixed(2)}`);
    }
  }
  rmSync(folder, { recursive: true });
}
