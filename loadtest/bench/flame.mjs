/**
 * Draws a flame graph of a server while subscribers are sent what is published one message a frame, n messages in
 * flight: where its CPU time goes, in the kernel, in uWebSockets.js, in V8 and in our own code. The width of a box is its
 * share of the samples; above it stands what it called.
 * It needs `npm run build` and `perf` (Debian: linux-perf), which may look into the kernel only as root.
 * Run it with: node loadtest/bench/flame.mjs --out FILE.svg [--redis] [--bare] [--in-flight N] [--subscribers N]
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runInFlight } from '../dist/bench/cases/in-flight.js';
import { Lane } from '../dist/generators/lane.js';
import { startBareUws, startFanfare } from '../dist/servers/contender.js';
import { startRedis } from '../dist/servers/redis.js';
import { pinSelf } from '../dist/servers/server-process.js';
import { flameGraph } from './flame-graph.mjs';

const { values } = parseArgs({
  options: {
    out: { type: 'string' },
    redis: { type: 'boolean', default: false },
    bare: { type: 'boolean', default: false },
    'in-flight': { type: 'string', default: '32' },
    subscribers: { type: 'string', default: '1000' },
  },
});
if (!values.out) throw new Error('--out FILE.svg is missing');
/** V8 compiles what is new for some seconds, on the core of the server. */
const WARM_MS = 15_000;
const SAMPLED_MS = 8_000;

const folder = mkdtempSync(join(tmpdir(), 'flame-'));
const data = join(folder, 'perf.data');
const inFlight = Number(values['in-flight']);
const subscribers = Number(values.subscribers);
pinSelf();
const redis = values.redis ? await startRedis() : undefined;
// V8 writes down where in memory which function is, for perf; and leaves a frame on the stack for each that is interpreted.
const nodeFlags = [
  '--perf-basic-prof',
  '--interpreted-frames-native-stack',
  '--no-logfile-per-isolate',
  `--logfile=${join(folder, 'v8.log')}`,
];
const contender = await (values.bare ? startBareUws : startFanfare)({ redisPort: redis?.port, nodeFlags });
try {
  const lane = await Lane.open({
    contender,
    channels: [{ name: 'bench', durable: true }],
    subscribers,
    promptShare: Math.min(1, 20 / subscribers),
    intake: values.bare && redis ? 'redis' : 'websocket',
  });
  await runInFlight(lane, { inFlight, size: 64 }, WARM_MS);
  const args = ['record', '-e', 'cpu-clock', '-F', '1999', '-g', '-p', String(contender.server.pid), '-o', data];
  const perf = spawn('perf', args, { stdio: 'ignore' });
  const { cpuMicrosPerMessage } = await runInFlight(lane, { inFlight, size: 64 }, SAMPLED_MS);
  perf.kill('SIGINT');
  await once(perf, 'exit');
  await lane.close();
  const samples = execFileSync('perf', ['script', '-i', data, '-F', 'comm,ip,sym,dso'], { maxBuffer: 2 ** 30 });
  const title = `${contender.name}, ${subscribers} subscribers, ${inFlight} in flight`;
  writeFileSync(
    values.out,
    flameGraph(samples.toString('utf8'), `${title}: ${Math.round(cpuMicrosPerMessage)} us of CPU a message`),
  );
  console.log(`${values.out}: ${Math.round(cpuMicrosPerMessage)} us of CPU a message`);
} finally {
  await contender.server.stop();
  await redis?.stop();
  rmSync(folder, { recursive: true, force: true });
  rmSync(`/tmp/perf-${contender.server.pid}.map`, { force: true });
}
