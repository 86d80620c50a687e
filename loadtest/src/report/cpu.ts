/** CPU time as shares of one core, 0 to 1. */
export interface CpuShares {
  readonly client: number;
  readonly server: number;
}

/** Begins to watch. Returns a function that says the shares since then. */
export function watchCpu(server: { cpuMs(): number }): () => CpuShares {
  const begin = performance.now();
  const clientBegin = process.cpuUsage();
  const serverBeginMs = server.cpuMs();
  return () => {
    const elapsedMs = performance.now() - begin;
    const { user, system } = process.cpuUsage(clientBegin);
    return { client: (user + system) / 1000 / elapsedMs, server: (server.cpuMs() - serverBeginMs) / elapsedMs };
  };
}
