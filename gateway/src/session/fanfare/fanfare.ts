/** The conversation of docs/PROTOCOL.md: `connect` first, then commands, each answered under its `id`. */
import type { RawDialect } from '@fanfare/protocol';
import type { UpgradeRequest } from '../../transport/transport.js';
import type { Conversation, Greeting } from '../conversation.js';
import { FanfareSpeaker, type FanfareSpeakerOptions } from './speaker.js';

interface FanfareOptions extends FanfareSpeakerOptions {
  /** The dialects that clients may speak. The first one is taken for clients that name none. */
  readonly dialects: readonly [RawDialect, ...RawDialect[]];
}

/** The paths of this conversation. Some clients and proxies add a slash at the end. */
const PATHS = ['/ws', '/ws/'];

export function createFanfareConversation(options: FanfareOptions): Conversation {
  const { dialects } = options;
  return {
    entrance: 'ws',
    serves: (path) => PATHS.includes(path),
    greet(request): Greeting {
      const { subprotocol, dialect } = chooseDialect(dialects, request.subprotocols);
      const token = tokenOf(request);
      return {
        subprotocol,
        dialect: dialect ?? dialects[0],
        refusal: dialect ? undefined : { code: 4404, reason: 'unsupported subprotocol' },
        speakTo: (client) => new FanfareSpeaker(client, token, options),
      };
    },
  };
}

/**
 * Chooses the dialect: that of the first subprotocol of the client that is ours, or JSON if it names none. If it names
 * only others, its first one is echoed, so that browsers get as far as the close code 4404.
 */
function chooseDialect(dialects: readonly RawDialect[], offered: readonly string[]) {
  if (offered.length === 0) return { subprotocol: undefined, dialect: dialects[0] };
  for (const subprotocol of offered) {
    const dialect = dialects.find((one) => one.subprotocol === subprotocol);
    if (dialect) return { subprotocol, dialect };
  }
  return { subprotocol: offered[0], dialect: undefined };
}

function tokenOf(request: UpgradeRequest): string | undefined {
  return new URLSearchParams(request.query).get('token') || bearer(request.header('authorization'));
}

function bearer(header: string): string | undefined {
  return /^Bearer +(\S+)$/i.exec(header)?.[1];
}
