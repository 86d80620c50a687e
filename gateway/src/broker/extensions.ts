/** The kinds of extensions that this version writes and reads; docs/REDIS.md ("Versions") lists them all. */
import type { Extension, LogRecord, NewMessage } from './record.js';

/** The session that does not get the message, as text. */
const EXCEPT = 2;

/** The message with the session that does not get it. */
export function withExcept(message: NewMessage, session: string): NewMessage {
  const extension: Extension = { kind: EXCEPT, bytes: Buffer.from(session) };
  return { ...message, extensions: [...(message.extensions ?? []), extension] };
}

/** The session that does not get the message, if there is one. */
export function exceptOf({ extensions }: Pick<LogRecord, 'extensions'>): string | undefined {
  const found = extensions?.find(({ kind }) => kind === EXCEPT);
  return found && Buffer.from(found.bytes).toString();
}
