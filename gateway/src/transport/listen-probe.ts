import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { PortTakenError } from './transport.js';

/**
 * Finds a free port, for listeners that cannot ask for port 0 themselves.
 * @throws the error that kept the probe from listening: a {@link PortTakenError} if `port` is not 0 and is taken.
 */
export async function probePort(host: string, port: number): Promise<number> {
  const probe = createServer().listen({ host, port, exclusive: true });
  try {
    await once(probe, 'listening');
  } catch (error) {
    throw toListenError(error as NodeJS.ErrnoException, host, port);
  }
  const { port: found } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return found;
}

export function toListenError(error: NodeJS.ErrnoException, host: string, port: number): Error {
  return error.code === 'EADDRINUSE' ? new PortTakenError(host, port) : error;
}
