/** The kinds of extensions that this version writes and reads; docs/REDIS.md ("Versions") lists them all. */
import type { Extension, LogRecord, NewMessage } from './record.js';

/** Kind of the extension that names the session to which the message is not sent, as text. */
const EXCEPT = 2;

/** Adds to a message the session to which it is not sent. */
export function withExcept(message: NewMessage, session: string): NewMessage {
  const extension: Extension = { kind: EXCEPT, bytes: Buffer.from(session) };
  return { ...message, extensions: [...(message.extensions ?? []), extension] };
}

/** The session to which a message is not sent, if there is one. */
export function exceptOf({ extensions }: Pick<LogRecord, 'extensions'>): string | undefined {
  const found = extensions?.find(({ kind }) => kind === EXCEPT);
  return found && Buffer.from(found.bytes).toString();
}
