/** What is read from a gateway's `/metrics`. */
interface GatewayMetrics {
  readonly residentBytes: number;
  /** JavaScript heap in use; the rest is what Node keeps for itself, and bytes on their way. */
  readonly heapBytes: number;
  /** Connections taken off their channels as too slow. */
  readonly lagged: number;
}

export interface Sample extends GatewayMetrics {
  /** Since the watch began, ms. */
  readonly atMs: number;
}

const INTERVAL_MS = 1_000;

/** `undefined`: the gateway does not tell, at least not there. */
async function readMetrics(url: string): Promise<GatewayMetrics | undefined> {
  const address = new URL('/metrics', url.replace(/^ws/, 'http'));
  const response = await fetch(address).catch(() => undefined);
  if (!response?.ok) return undefined;
  const text = await response.text();
  const read = (name: string) => Number(new RegExp(`^${name}(?:{[^}]*})? (\\S+)`, 'm').exec(text)?.[1] ?? Number.NaN);
  return {
    residentBytes: read('process_resident_memory_bytes'),
    heapBytes: read('nodejs_heap_size_used_bytes'),
    lagged: read('fanfare_lagged_total'),
  };
}

/** Samples the metrics every second until the result is called, which takes the last sample. */
export function watchMetrics(url: string): () => Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  const beganAt = performance.now();
  const take = async () => {
    const metrics = await readMetrics(url);
    if (metrics) samples.push({ ...metrics, atMs: performance.now() - beganAt });
  };
  let pending = take();
  const timer = setInterval(() => {
    pending = pending.then(take);
  }, INTERVAL_MS);
  return async () => {
    clearInterval(timer);
    await pending;
    await take();
    return samples;
  };
}
