import type { Untyped } from '@fanfare/client';
import { Storm, type StormOptions } from './storm.js';
import { createStormyGateway, type TestGateway, type TestGatewayOptions } from './test-gateway.js';

/** Options of {@link underFaults}: how often, from which seed, which faults and how many. */
export interface UnderFaultsOptions<Map> extends TestGatewayOptions<Map>, Omit<StormOptions, 'seed'> {
  /** How often the body is run, each time with the next seed. Default 100. */
  readonly runs?: number;
}

/**
 * Runs a part of an application again and again, each time with other faults while it lets time pass (`gateway.run`).
 * Then it ends the faults (`calm`), and audits what the subscriptions were given. What the application shows has to be
 * checked by the body, after `await gateway.calm()`.
 * @throws {Error} of the first run that failed, with the seed that repeats it and the faults in it
 */
export async function underFaults<const Map extends object = Untyped>(
  { runs = 100, seed: first = 1, channels, ...storm }: UnderFaultsOptions<Map>,
  body: (gateway: TestGateway<Map>) => unknown,
): Promise<void> {
  for (let seed = first; seed < first + runs; seed++) {
    const faults = new Storm({ ...storm, seed });
    const gateway = createStormyGateway<Map>({ seed, ...(channels && { channels }) }, faults);
    try {
      await body(gateway);
      await gateway.calm();
      gateway.audit();
    } catch (cause) {
      const { message } = cause as Error;
      const list = faults.log.map((fault) => `  ${fault}`).join('\n');
      const again = `play it alone with { seed: ${seed}, runs: 1 }`;
      throw new Error(`seed ${seed} broke it: ${message}\n${again}; faults in it:\n${list}`, { cause });
    } finally {
      gateway.close();
    }
  }
}
