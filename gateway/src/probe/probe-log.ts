/**
 * Says in the log when the self-probe of a part of the broker begins to fail, and why, and when it comes back again.
 * @returns what the self-probe tells as `onState`
 */
export function createProbeLog(
  log: Record<'info' | 'error', (context: object, message: string) => void>,
): (shard: string, reason: string | undefined) => void {
  return (shard, reason) => {
    if (reason === undefined) log.info({ shard }, 'the self-probe comes back again');
    else log.error({ shard, reason }, 'the self-probe does not come back: the gateway is not ready');
  };
}
