/** The thread behind {@link BulkReaders}. */
import { parentPort, workerData } from 'node:worker_threads';
import type { BulkAnswer, BulkData, BulkRequest } from './bulk-readers.js';
import { ReaderPool } from './reader-pool.js';

const { received, isAsleep } = workerData as BulkData;
/**
 * How long the thread naps between two strokes, ms. A server can write some 16 KiB a turn to each of 1,000 subscribers
 * every 3.5 ms, and 64 KiB fit into a socket's first receive buffer. Naps are of random length because the rounds of a
 * benchmark may be as long as a stroke and its nap, and would keep in step: each would, or would not, wait for a stroke.
 */
const NAP_MS = { least: 5, most: 11 };
/** The nap of a thread that sleeps until it is woken, ms: longer than any run. */
const SLEEP_MS = 60_000;

const pool = new ReaderPool();
pool.onProgress = () => {
  received[0] = pool.received;
};

function stroke(): void {
  const asleep = Atomics.load(isAsleep, 0);
  const napMs = NAP_MS.least + Math.random() * (NAP_MS.most - NAP_MS.least);
  Atomics.wait(isAsleep, 0, asleep, asleep === 1 ? SLEEP_MS : napMs);
  setImmediate(stroke);
}

async function handle(request: BulkRequest): Promise<void> {
  if (request.do === 'open') await pool.open(request.subscribes);
  else if (request.do === 'check') pool.check(request.messages);
  else {
    pool.reset();
    received[0] = 0;
  }
}

parentPort?.on('message', (request: BulkRequest) => {
  handle(request).then(
    () => parentPort?.postMessage({} satisfies BulkAnswer),
    (error: Error) => parentPort?.postMessage({ error: error.message } satisfies BulkAnswer),
  );
});
setImmediate(stroke);
