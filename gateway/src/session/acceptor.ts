import type { RawDialect } from '@fanfare/protocol';
import type { Socket, UpgradeRequest, UpgradeResult } from '../transport/transport.js';
import type { SessionServices } from './services.js';
import { Session } from './session.js';

export interface AcceptorOptions {
  readonly path: string;
  /** Whether a page of this origin may connect; `origin` is `''` where there is no browser. */
  readonly isAllowedOrigin: (origin: string, host: string) => boolean;
  /** Whether new connections are taken now. */
  readonly isAccepting: () => boolean;
}

/** Decides on upgrades: path, origin, dialect. */
export function createAcceptor(services: SessionServices, options: AcceptorOptions) {
  const { dialects } = services.hub.outbox;
  return (request: UpgradeRequest): UpgradeResult<Session> => {
    if (request.path !== options.path) return { accept: false, status: 404, body: 'not found' };
    if (!options.isAccepting()) return { accept: false, status: 503, body: 'the gateway stops' };
    if (!options.isAllowedOrigin(request.header('origin'), request.header('host'))) {
      return { accept: false, status: 403, body: 'origin not allowed' };
    }
    const { subprotocol, dialectIndex } = chooseDialect(dialects, request.subprotocols);
    const token = new URLSearchParams(request.query).get('token') || bearer(request.header('authorization'));
    return {
      accept: true,
      subprotocol,
      session: (socket: Socket) => {
        const session = new Session(socket, Math.max(0, dialectIndex), token, services);
        if (dialectIndex < 0) session.close(4404, 'unsupported subprotocol');
        return session;
      },
    };
  };
}

/**
 * The first of the client's subprotocols that is ours; JSON if it names none. If it names only
 * others, its first is echoed so that browsers get as far as the close code 4404 (-1).
 */
function chooseDialect(dialects: readonly RawDialect[], offered: readonly string[]) {
  if (offered.length === 0) return { subprotocol: undefined, dialectIndex: 0 };
  for (const subprotocol of offered) {
    const dialectIndex = dialects.findIndex((dialect) => dialect.subprotocol === subprotocol);
    if (dialectIndex >= 0) return { subprotocol, dialectIndex };
  }
  return { subprotocol: offered[0], dialectIndex: -1 };
}

function bearer(header: string): string | undefined {
  return /^Bearer +(\S+)$/i.exec(header)?.[1];
}
