import type { UpgradeRequest, UpgradeResult } from '../transport/transport.js';
import type { Conversation } from './conversation.js';
import type { Session } from './session.js';
import type { Sessions } from './sessions.js';

interface AcceptorOptions {
  readonly sessions: Sessions;
  /** The conversations that the gateway knows. A WebSocket is spoken to by the first one that serves its path. */
  readonly conversations: readonly Conversation[];
  /** Whether a page of this origin may connect. `origin` is `''` if the client is no browser. */
  readonly isAllowedOrigin: (origin: string, host: string) => boolean;
}

/**
 * Makes the function that decides on upgrades, by path, drain and origin. Everything else is decided by the
 * conversation.
 */
export function createAcceptor({ sessions, conversations, isAllowedOrigin }: AcceptorOptions) {
  return (request: UpgradeRequest): UpgradeResult<Session> => {
    const conversation = conversations.find((one) => one.serves(request.path));
    if (!conversation) return { accept: false, status: 404, body: 'not found' };
    if (sessions.isDraining) return { accept: false, status: 503, body: 'the gateway stops' };
    if (!isAllowedOrigin(request.header('origin'), request.header('host'))) {
      return { accept: false, status: 403, body: 'origin not allowed' };
    }
    const greeting = conversation.greet(request);
    return {
      accept: true,
      subprotocol: greeting.subprotocol,
      session: (socket) => sessions.open(socket, conversation, greeting),
    };
  };
}
