import { createServer } from 'node:net';
import { PortTakenError } from './transport.js';

/**
 * Why nothing can listen there, found by trying: uWebSockets.js only says that it failed.
 * A {@link PortTakenError} if the port is taken.
 */
export function listenFailure(host: string, port: number): Promise<Error> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', (error) => resolve(toListenError(error, host, port)));
    probe.listen({ host, port, exclusive: true }, () => {
      probe.close(() => resolve(new Error(`cannot listen on ${host}:${port}`)));
    });
  });
}

export function toListenError(error: NodeJS.ErrnoException, host: string, port: number): Error {
  return error.code === 'EADDRINUSE' ? new PortTakenError(host, port) : error;
}
