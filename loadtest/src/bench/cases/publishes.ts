import { setTimeout as sleep } from 'node:timers/promises';
import { type CpuShares, watchCpu } from '../../report/cpu.js';
import type { BenchChannel, Contender } from '../../servers/contender.js';

interface PublishesCase {
  readonly channel: BenchChannel;
  /** How many messages a request carries. */
  readonly batch: number;
  /** How many keep-alive connections there are, each with one request in flight. */
  readonly connections: number;
  /** Size of a payload, bytes. */
  readonly size: number;
}

export interface PublishesResult {
  readonly publishesPerSecond: number;
  readonly cpu?: CpuShares;
}

/** Publishes over HTTP as fast as the messages are acknowledged. Rejects if one is refused. */
export async function runPublishes(
  contender: Contender,
  options: PublishesCase,
  durationMs: number,
): Promise<PublishesResult> {
  const { channel, batch, connections, size } = options;
  let sequence = 1;
  let replies = 0;
  let isOver = false;
  const intakes = await Promise.all(Array.from({ length: connections }, () => contender.openIntake('http')));
  const cpu = watchCpu(contender.server);
  const begin = performance.now();
  for (const intake of intakes) {
    const next = () => {
      intake.write(contender.encode('http', channel, sequence, batch, size));
      sequence += batch;
    };
    intake.onReply = () => {
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
  const fault = intakes.find((intake) => intake.fault)?.fault;
  for (const intake of intakes) intake.close();
  if (fault) throw new Error(`${contender.name} refused a publish: ${fault}`);
  return { publishesPerSecond, cpu: shares };
}
