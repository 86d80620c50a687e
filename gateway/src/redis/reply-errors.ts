/**
 * What failed commands mean: the one place that reads error replies of Redis.
 * https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors
 */

/**
 * What a failed command means for whoever asked for it:
 * `refused`: it was not done and may be done later; `unknown`: it may or may not have been done;
 * `broken`: it was not done and never will be.
 */
type FaultKind = 'refused' | 'unknown' | 'broken';

/** A command that was not sent. */
export class NotSentError extends Error {
  override readonly name = 'NotSentError';
}

/** Why a server did nothing, though the command was in order. */
interface Refusal {
  /** First word of the reply. */
  readonly word: string;
  /** Whether another server may be the one to ask now. */
  readonly isElsewhere: boolean;
  /** Whether the refusal ends by itself or when a server is mended. A lack of permission does not. */
  readonly isPassing: boolean;
  /** Set if the server takes no writes but serves reads: the reason, in words for whoever wanted to write. */
  readonly writesStop?: string;
}

const refusal = (word: string, isElsewhere: boolean, isPassing: boolean, writesStop?: string): [string, Refusal] => [
  word,
  { word, isElsewhere, isPassing, ...(writesStop !== undefined && { writesStop }) },
];

const REFUSALS = new Map<string, Refusal>([
  // The slot is on its way, or nobody serves it.
  refusal('ASK', true, true),
  refusal('CLUSTERDOWN', true, true),
  refusal('MOVED', true, true),
  refusal('TRYAGAIN', true, true),
  // The server starts, or lost its master.
  refusal('LOADING', true, true),
  refusal('MASTERDOWN', true, true),
  // It runs a script that takes long.
  refusal('BUSY', false, true),
  // It does not know the script.
  refusal('NOSCRIPT', true, true),
  // It does not want keys of several slots in one command: a Cluster, or a proxy before one.
  refusal('CROSSSLOT', false, true),
  // It takes no writes.
  refusal('READONLY', true, true, 'it is a replica'),
  refusal('OOM', false, true, 'its memory is full'),
  refusal('MISCONF', false, true, 'it cannot save to its disk'),
  refusal('NOREPLICAS', false, true, 'too few replicas are in sync'),
  // The user has no permission for the command.
  refusal('NOAUTH', false, false),
  refusal('NOPERM', false, false),
]);

/** What an error reply says about a server that refuses commands. `undefined`: this error is no such reply. */
export function refusalOf(error: Error): Refusal | undefined {
  return isReply(error) ? REFUSALS.get(firstWord(error)) : undefined;
}

/**
 * The reason why a server takes no writes, as whoever wanted to write is told it; `""` if the error is about something
 * else.
 */
export function whyNoWrites(error: unknown): string {
  const refusal = error instanceof Error ? refusalOf(error) : undefined;
  return refusal?.writesStop === undefined ? '' : `: Redis refuses writes, ${refusal.writesStop} (${refusal.word})`;
}

export function faultKind(error: Error): FaultKind {
  if (error instanceof NotSentError) return 'refused';
  // Only a reply is certain: any other error of a connection can come after the server has done the command.
  if (!isReply(error) || firstWord(error) === 'HALFDONE') return 'unknown';
  return refusalOf(error) ? 'refused' : 'broken';
}

/** Whether the error may mean that another server is master now. */
export function mayHaveMoved(error: Error): boolean {
  return refusalOf(error)?.isElsewhere ?? true;
}

/**
 * Whether the error is one of the connection, as ioredis and sockets name them; not a reply, and not a mistake of ours.
 */
export function isConnectionError({ name }: Error): boolean {
  return name === 'Error' || name === 'AbortError' || name === 'NotSentError';
}

/**
 * Whether the server does not know the script, because it restarted or its scripts were flushed. Nothing was run then.
 */
export function isScriptMissing(error: unknown): boolean {
  return error instanceof Error && firstWord(error) === 'NOSCRIPT';
}

/** Whether the server has become a replica, which takes no writes. */
export function isReadOnly(error: Error): boolean {
  return firstWord(error) === 'READONLY';
}

/** Whether a cluster, or a proxy before one, does not want keys of several slots in one command. */
export function isCrossSlot(error: Error): boolean {
  return firstWord(error) === 'CROSSSLOT';
}

/** Whether the slot is not that of the server that answered. */
export function isMoved(error: Error): boolean {
  return firstWord(error) === 'MOVED';
}

/** Whether the keys of the slot are on their way to another server, so that some are here and some are there. */
export function isMoving(error: Error): boolean {
  return firstWord(error) === 'TRYAGAIN';
}

/** Whether the user may not call the command, or may not use the key. */
export function isNotPermitted(error: Error): boolean {
  return firstWord(error) === 'NOPERM';
}

/** Whether a text quotes the reply of a server that does not want us, so that waiting changes nothing. */
export function tellsOfNoAccess(text: string): boolean {
  return /\b(WRONGPASS|NOAUTH|NOPERM)\b/.test(text);
}

/** The server at which a slot lives, as another server says. `host` is `""` if it is the host that answered. */
export interface Redirection {
  readonly kind: 'MOVED' | 'ASK';
  readonly host: string;
  readonly port: number;
}

/**
 * Reads MOVED and ASK replies:
 * https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#redirection-and-resharding
 */
export function redirectionOf(error: Error): Redirection | undefined {
  const match = /^(MOVED|ASK) \d+ (\S*):(\d+)$/.exec(error.message);
  if (!match || match[2] === '?') return undefined;
  return { kind: match[1] as Redirection['kind'], host: match[2] as string, port: Number(match[3]) };
}

/** The first word of an error reply, which says what it means. Nothing else reads it. */
function firstWord({ message }: Error): string {
  return message.slice(0, message.search(/ |$/));
}

/** Whether the error is a reply of the server. Scripts that caught an error reply give theirs the same name. */
function isReply({ name }: Error): boolean {
  return name === 'ReplyError';
}
