/**
 * Measures what an idle connection on a durable channel of its own takes of the gateway's JavaScript heap, bytes. The
 * heap is what our code decides on, and it does not depend on what else the machine does. Resident memory, which `npm
 * run bench -- --only memory` measures, adds what uWebSockets.js, the kernel's interface and the allocator take. Both
 * are printed.
 * It needs `npm run build`. Run it with: node loadtest/bench/idle-heap.mjs [--redis PORT] [--connections N]
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ReaderPool } from '../dist/generators/reader-pool.js';
import { startFanfare } from '../dist/servers/contender.js';

const { values } = parseArgs({
  options: { redis: { type: 'string' }, connections: { type: 'string', default: '8000' } },
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
const { server, subscribe } = await startFanfare({
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
try {
  await open(0, WARM);
  const before = await usage();
  await open(WARM, connections);
  const after = await usage();
  const each = (key) => Math.round((after[key] - before[key]) / connections);
  console.log(`${each('heapUsed')} bytes of heap, ${each('resident')} bytes resident, a connection`);
} finally {
  pool.close();
  await server.stop();
  rmSync(folder, { recursive: true });
}
