import type { RawDialect } from '@fanfare/protocol';
import type { Socket, UpgradeRequest, UpgradeResult } from '../transport/transport.js';
import type { SessionServices } from './services.js';
import { Session } from './session.js';

export interface AcceptorOptions {
  readonly path: string;
  /** Those that clients may speak; the first one also where they name none. */
  readonly dialects: readonly [RawDialect, ...RawDialect[]];
  /** Whether a page of this origin may connect; `origin` is `''` where there is no browser. */
  readonly isAllowedOrigin: (origin: string, host: string) => boolean;
  /** Whether new connections are taken now. */
  readonly isAccepting: () => boolean;
}

/** Decides on upgrades: path, origin, dialect. */
export function createAcceptor(services: SessionServices, options: AcceptorOptions) {
  return (request: UpgradeRequest): UpgradeResult<Session> => {
    if (request.path !== options.path) return { accept: false, status: 404, body: 'not found' };
    if (!options.isAccepting()) return { accept: false, status: 503, body: 'the gateway stops' };
    if (!options.isAllowedOrigin(request.header('origin'), request.header('host'))) {
      return { accept: false, status: 403, body: 'origin not allowed' };
    }
    const { subprotocol, dialect } = chooseDialect(options.dialects, request.subprotocols);
    const token = new URLSearchParams(request.query).get('token') || bearer(request.header('authorization'));
    return {
      accept: true,
      subprotocol,
      session: (socket: Socket) => {
        const session = new Session(socket, dialect ?? options.dialects[0], token, services);
        if (!dialect) session.close(4404, 'unsupported subprotocol');
        return session;
      },
    };
  };
}

/**
 * The first of the client's subprotocols that is ours; JSON if it names none. If it names only
 * others, its first is echoed so that browsers get as far as the close code 4404.
 */
function chooseDialect(dialects: AcceptorOptions['dialects'], offered: readonly string[]) {
  if (offered.length === 0) return { subprotocol: undefined, dialect: dialects[0] };
  for (const subprotocol of offered) {
    const dialect = dialects.find((one) => one.subprotocol === subprotocol);
    if (dialect) return { subprotocol, dialect };
  }
  return { subprotocol: offered[0], dialect: undefined };
}

function bearer(header: string): string | undefined {
  return /^Bearer +(\S+)$/i.exec(header)?.[1];
}
