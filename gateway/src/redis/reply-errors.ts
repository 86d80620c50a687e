/**
 * What a failed command means for a publish:
 * `refused`: it was not done and may be done later; `unknown`: it may or may not have been done;
 * `broken`: it was not done and never will be.
 */
export type FaultKind = 'refused' | 'unknown' | 'broken';

/** A command that was not sent. */
export class NotSentError extends Error {
  override readonly name = 'NotSentError';
}

/**
 * First words of error replies by which a server does nothing: it is on the move, not ready, full,
 * read-only, or short of replicas. https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors
 */
const REFUSALS = new Set([
  'ASK',
  'BUSY',
  'CLUSTERDOWN',
  'LOADING',
  'MASTERDOWN',
  'MISCONF',
  'MOVED',
  'NOAUTH',
  'NOPERM',
  'NOREPLICAS',
  'NOSCRIPT',
  'OOM',
  'READONLY',
  'TRYAGAIN',
]);

/** Refusals that no other server would make good: asking who is master now helps nobody. */
const LOCAL_REFUSALS = new Set(['BUSY', 'MISCONF', 'NOAUTH', 'NOPERM', 'NOREPLICAS', 'OOM']);

/** Whether the error may mean that another server is master now. */
export function mayHaveMoved(error: Error): boolean {
  return !LOCAL_REFUSALS.has(firstWord(error));
}

export function faultKind(error: Error): FaultKind {
  if (error instanceof NotSentError) return 'refused';
  // Only an answer is sure: any other error of a connection can come after the server did it.
  if (error.name !== 'ReplyError' || firstWord(error) === 'HALFDONE') return 'unknown';
  return REFUSALS.has(firstWord(error)) ? 'refused' : 'broken';
}

/** Where a server says that a slot lives; `host` is `""` if it is the host that answered. */
export interface Redirection {
  readonly kind: 'MOVED' | 'ASK';
  readonly host: string;
  readonly port: number;
}

/** https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#redirection-and-resharding */
export function redirectionOf(error: Error): Redirection | undefined {
  const match = /^(MOVED|ASK) \d+ (\S*):(\d+)$/.exec(error.message);
  if (!match || match[2] === '?') return undefined;
  return { kind: match[1] as Redirection['kind'], host: match[2] as string, port: Number(match[3]) };
}

export function firstWord({ message }: Error): string {
  return message.slice(0, message.search(/ |$/));
}
