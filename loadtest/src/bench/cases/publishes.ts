import { setTimeout as sleep } from 'node:timers/promises';
import { type CpuShares, watchCpu } from '../../report/cpu.js';
import type { BenchChannel, Contender } from '../../servers/contender.js';

interface PublishesCase {
  readonly channel: BenchChannel;
  /** Messages a request. */
  readonly batch: number;
  /** Keep-alive connections, each with one request in flight. */
  readonly connections: number;
  /** Bytes of a payload. */
  readonly size: number;
}

export interface PublishesResult {
  readonly publishesPerSecond: number;
  readonly cpu?: CpuShares;
}

/** Publishes over HTTP as fast as they are acknowledged. Rejects if one is refused. */
export async function runPublishes(
  contender: Contender,
  options: PublishesCase,
  durationMs: number,
): Promise<PublishesResult> {
  const { channel, batch, connections, size } = options;
  let sequence = 1;
  let replies = 0;
  let isOver = false;
  const feeds = await Promise.all(Array.from({ length: connections }, () => contender.openFeed('http')));
  const cpu = watchCpu(contender.server);
  const begin = performance.now();
  for (const feed of feeds) {
    const next = () => {
      feed.write(contender.encode('http', channel, sequence, batch, size));
      sequence += batch;
    };
    feed.onReply = () => {
      if (isOver) return;
      replies++;
      next();
    };
    next();
  }
  await sleep(durationMs);
  isOver = true;
  const publishesPerSecond = (replies * batch * 1000) / (performance.now() - begin);
  const shares = cpu();
  const fault = feeds.find((feed) => feed.fault)?.fault;
  for (const feed of feeds) feed.close();
  if (fault) throw new Error(`${contender.name} refused a publish: ${fault}`);
  return { publishesPerSecond, cpu: shares };
}
