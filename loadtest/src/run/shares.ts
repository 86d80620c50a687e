import type { Publish, Scenario } from '../scenario/scenario.js';
import type { Share } from './plan.js';

const LINKS = { http: 8, 'http-batch': 4, websocket: 1, sdk: 4 } as const;

/** How many connections publish for a group. */
export function linkCount({ by, connections }: Publish): number {
  return connections ?? LINKS[by];
}

/**
 * Splits a scenario over a number of workers. Connections are spread evenly over all workers but the last, which
 * publishes. A single worker does both.
 */
export function shareOut({ groups }: Scenario, workers: number): Share[][] {
  const readers = Math.max(1, workers - 1);
  let stream = 0;
  const shares: Share[][] = Array.from({ length: workers }, () => []);
  for (const [name, group] of Object.entries(groups)) {
    for (let worker = 0; worker < readers; worker++) {
      const count = Math.floor((group.connections - worker + readers - 1) / readers);
      (shares[worker] as Share[]).push({
        name,
        group,
        first: worker,
        stride: readers,
        count,
        publishes: workers === 1 && group.publish !== undefined,
        firstStream: stream,
      });
    }
    if (workers > 1 && group.publish) {
      (shares[workers - 1] as Share[]).push({
        name,
        group,
        first: 0,
        stride: 1,
        count: 0,
        publishes: true,
        firstStream: stream,
      });
    }
    stream += group.publish ? linkCount(group.publish) : 0;
  }
  return shares;
}
