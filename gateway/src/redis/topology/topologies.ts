import type { Clock } from '../../clock.js';
import type { LinkOptions } from '../link.js';
import { formatAddress, type RedisTarget, type StandaloneTarget, sentinelConnectionOptions } from '../url.js';
import { ClusterCensus } from './cluster-census.js';
import { PolledTopology, type PollTimings } from './polled-topology.js';
import { SentinelCensus } from './sentinel-census.js';
import { singleMasterView, type Topology, type TopologyOptions, type TopologyView } from './topology.js';

interface CreateTopologyOptions extends TopologyOptions {
  readonly clock: Clock;
  readonly link: LinkOptions;
  readonly timings: PollTimings;
  readonly isHurried: () => boolean;
}

export function createTopology(target: RedisTarget, options: CreateTopologyOptions): Topology {
  switch (target.kind) {
    case 'standalone':
      return new FixedTopology(target, options);
    case 'cluster':
      return new PolledTopology(new ClusterCensus(target.tls), { ...options, seeds: target.nodes });
    case 'sentinel':
      return new PolledTopology(new SentinelCensus(target.masterName), {
        ...options,
        seeds: target.sentinels,
        link: sentinelConnectionOptions(target),
      });
  }
}

/** The topology of a standalone server, which is the master whatever happens. */
class FixedTopology implements Topology {
  readonly view: TopologyView;
  readonly problem = undefined;
  readonly #options: TopologyOptions;

  constructor({ node }: StandaloneTarget, options: TopologyOptions) {
    this.view = singleMasterView(formatAddress(node), node);
    this.#options = options;
  }

  start(): void {
    this.#options.onChange(this.view);
  }

  close(): void {}

  async refresh(): Promise<void> {}

  async confirm(): Promise<boolean> {
    return true;
  }

  async confirmMaster(): Promise<boolean> {
    return true;
  }
}
