/** The thread behind {@link BulkReaders}. */
import { parentPort, workerData } from 'node:worker_threads';
import type { BulkAnswer, BulkData, BulkRequest } from './bulk-readers.js';
import { ReaderPool } from './reader-pool.js';

const { received, napMs } = workerData as BulkData;
const pool = new ReaderPool();
pool.onProgress = () => {
  received[0] = pool.received;
};

function stroke(): void {
  const nap = Atomics.load(napMs, 0);
  Atomics.wait(napMs, 0, nap, nap);
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
