import type { UpgradeRequest, UpgradeResult } from '../transport/transport.js';
import type { Conversation } from './conversation.js';
import type { Session } from './session.js';
import type { Sessions } from './sessions.js';

interface AcceptorOptions {
  readonly sessions: Sessions;
  /** The first that serves a path speaks there. */
  readonly conversations: readonly Conversation[];
  /** Whether a page of this origin may connect; `origin` is `''` where there is no browser. */
  readonly isAllowedOrigin: (origin: string, host: string) => boolean;
}

/** Decides on upgrades: path, drain, origin. The rest is the conversation's to say. */
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
