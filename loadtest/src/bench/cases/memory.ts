import { setTimeout as sleep } from 'node:timers/promises';
import { ReaderPool } from '../../generators/reader-pool.js';
import type { BenchChannel, Contender } from '../../servers/contender.js';

/** Share of the connections that warm the server up before its memory is first read. */
const WARM_SHARE = 0.1;
const SETTLE_MS = 500;

/**
 * Measures the process memory of each idle subscriber, bytes: the growth of the resident memory from a tenth of the
 * connections to all of them. Garbage is collected before each reading.
 */
export async function measureMemory(
  contender: Contender,
  connections: number,
  channelOf: (index: number) => BenchChannel,
): Promise<number> {
  const pool = new ReaderPool();
  const subscribes = Array.from({ length: connections }, (_, index) => contender.subscribe(channelOf(index)));
  const warm = connections * WARM_SHARE;
  try {
    await pool.open(subscribes.slice(0, warm));
    const before = await settled(contender);
    await pool.open(subscribes.slice(warm));
    const after = await settled(contender);
    pool.check();
    return (after - before) / (connections - warm);
  } finally {
    pool.close();
  }
}

async function settled({ server }: Contender): Promise<number> {
  await sleep(SETTLE_MS);
  await server.collectGarbage();
  return server.residentBytes();
}
