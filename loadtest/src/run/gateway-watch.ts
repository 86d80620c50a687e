/** What the gateways of a run say about themselves, added up. */
export interface GatewaySample {
  readonly residentBytes: number;
  /** CPU time of the gateways since their start, s. */
  readonly cpuSeconds: number;
  readonly connections: number;
  /** All numbers in `/metrics` whose names begin with `fanfare_`. */
  readonly counters: Readonly<Record<string, number>>;
}

const TIMEOUT_MS = 2_000;

/** Reads `/metrics` of every gateway; `undefined` if at least one does not answer. */
export async function sampleGateways(apis: readonly string[]): Promise<GatewaySample | undefined> {
  const texts = await Promise.all(apis.map(metricsOf));
  if (texts.some((text) => text === undefined)) return undefined;
  const sums: Record<string, number> = {};
  for (const text of texts) {
    for (const [, name, value] of (text as string).matchAll(/^(\w+)(?:\{[^}]*\})? (\S+)$/gm)) {
      if (name !== undefined) sums[name] = (sums[name] ?? 0) + Number(value);
    }
  }
  if (sums.process_resident_memory_bytes === undefined) return undefined;
  return {
    residentBytes: sums.process_resident_memory_bytes,
    cpuSeconds: sums.process_cpu_seconds_total ?? 0,
    connections: sums.fanfare_connections ?? 0,
    counters: Object.fromEntries(Object.entries(sums).filter(([name]) => name.startsWith('fanfare_'))),
  };
}

/**
 * What the gateways counted between two samples; `undefined` if it is not known, or if a gateway restarted meanwhile.
 */
export function countersBetween(
  first: GatewaySample | undefined,
  last: GatewaySample | undefined,
): Readonly<Record<string, number>> | undefined {
  if (!first || !last) return undefined;
  const grown = Object.entries(last.counters)
    .filter(([name]) => name.endsWith('_total'))
    .map(([name, value]) => [name, value - (first.counters[name] ?? 0)] as const);
  return grown.every(([, growth]) => growth >= 0) ? Object.fromEntries(grown) : undefined;
}

async function metricsOf(api: string): Promise<string | undefined> {
  try {
    const response = await fetch(new URL('/metrics', api), { signal: AbortSignal.timeout(TIMEOUT_MS) });
    return response.ok ? await response.text() : undefined;
  } catch {
    return undefined;
  }
}
