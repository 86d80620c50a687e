/**
 * Measures what an idle connection on a durable channel of its own takes of the gateway's JavaScript heap, bytes. The
 * heap is what our code decides on, and it does not depend on what else the machine does. Resident memory, which `npm
 * run bench -- --only memory` measures, adds what uWebSockets.js, the kernel's interface and the allocator take. Both
 * are printed.
 * With `--leaves` it measures what is left of the heap after 100,000 joins of one client, each followed by its leave.
 * It needs `npm run build`. Run it with: node loadtest/bench/idle-heap.mjs [--redis PORT] [--connections N] [--leaves]
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { WebSocketIntake } from '../dist/generators/intake.js';
import { ReaderPool } from '../dist/generators/reader-pool.js';
import { dataFrame } from '../dist/generators/websocket-frames.js';
import { startFanfare } from '../dist/servers/contender.js';

const { values } = parseArgs({
  options: {
    redis: { type: 'string' },
    connections: { type: 'string', default: '8000' },
    leaves: { type: 'boolean', default: false },
  },
});
const connections = Number(values.connections);
/** How many connections are made first and not measured: they have code compiled and tables made. */
const WARM = 1_000;
/** How long to wait before a measurement, ms: longer than any timer of a join lasts. */
const SETTLE_MS = 6_000;

const folder = mkdtempSync(join(tmpdir(), 'idle-heap-'));
const file = join(folder, 'usage.json');
/** A script that runs in the gateway: at SIGWINCH it collects garbage and writes down how much is left. */
const onSignal = `
  import { renameSync, writeFileSync } from 'node:fs';
  process.on('SIGWINCH', () => {
    gc();
    gc();
    writeFileSync('${file}.part', JSON.stringify(process.memoryUsage()));
    renameSync('${file}.part', '${file}');
  });`;
const nodeFlags = [
  '--import',
  `data:text/javascript,${encodeURIComponent(onSignal)}`,
  '--max-semi-space-size=16',
  '--min-semi-space-size=16',
];
const { server, port, subscribe } = await startFanfare({
  redisPort: values.redis === undefined ? undefined : Number(values.redis),
  nodeFlags,
});

async function usage() {
  await sleep(SETTLE_MS);
  await server.collectGarbage();
  rmSync(file, { force: true });
  process.kill(server.pid, 'SIGWINCH');
  for (;;) {
    await sleep(50);
    try {
      const { heapUsed } = JSON.parse(readFileSync(file, 'utf8'));
      return { heapUsed, resident: server.residentBytes() };
    } catch (error) {
      if (error.code !== 'ENOENT') throw error;
    }
  }
}

const pool = new ReaderPool();
const open = (from, count) =>
  pool.open(Array.from({ length: count }, (_, index) => subscribe({ name: `idle-${from + index}`, durable: true })));

async function measureConnections() {
  await open(0, WARM);
  const before = await usage();
  await open(WARM, connections);
  const after = await usage();
  const each = (key) => Math.round((after[key] - before[key]) / connections);
  console.log(`${each('heapUsed')} bytes of heap, ${each('resident')} bytes resident, a connection`);
}

async function subscriptions() {
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return Number(/^fanfare_subscriptions(?:{[^}]*})? (\S+)/m.exec(metrics)[1]);
}

async function measureLeaves() {
  const client = await WebSocketIntake.open(`ws://127.0.0.1:${port}/ws`);
  client.write(dataFrame('{"type":"connect","id":1}'));
  const send = async (type, expected) => {
    const frames = Array.from({ length: 1_000 }, (_, index) =>
      dataFrame(JSON.stringify({ type, id: index + 2, channel: `left-${index}` })),
    );
    client.write(Buffer.concat(frames));
    while ((await subscriptions()) !== expected) await sleep(5);
    if (client.fault) throw new Error(client.fault);
  };
  const joinAndLeave = async (rounds) => {
    for (let round = 0; round < rounds; round++) {
      await send('subscribe', 1_000);
      await send('unsubscribe', 0);
    }
    return usage();
  };
  const before = await joinAndLeave(10);
  const after = await joinAndLeave(100);
  console.log(`${after.heapUsed - before.heapUsed} bytes more of heap after 100,000 joins and leaves`);
}

try {
  await (values.leaves ? measureLeaves() : measureConnections());
} finally {
  pool.close();
  await server.stop();
  rmSync(folder, { recursive: true });
}
