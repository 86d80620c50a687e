/**
 * Claims: what a token says, and what the application answers when it is asked. Both have the same shape.
 * `{"sub":"u1","exp":1763800000,"channels":{"chat:*":["subscribe"]},"info":{},"subscribe":["user:u1"]}`
 */
import { isChannelName } from '@fanfare/protocol';
import { isName, MAX_NAME_BYTES } from '@fanfare/protocol/validate';
import { FanfareError } from '../errors.js';
import type { Action } from './authenticator.js';
import { ACTIONS, Permissions } from './permissions.js';

export interface Claims {
  /** Claim `sub`. Absent: the client is anonymous. */
  readonly user?: string;
  /** Claim `exp`, in ms since the Unix epoch. Absent: the token never ends. */
  readonly expiresAt?: number;
  /** Claim `iat`, in ms since the Unix epoch. */
  readonly issuedAt?: number;
  /** Claim `jti`, by which one token can be revoked. */
  readonly tokenId?: string;
  /** Claim `channels`: actions by pattern. */
  readonly permissions: Permissions;
  /** Claim `info`, which is shown to others in presence. */
  readonly info?: unknown;
  /** Claim `subscribe`: the channels that the session is put on at once. It may subscribe to them. */
  readonly subscribe: readonly string[];
}

/** Most bytes of `info` as JSON, because it is copied to everyone who looks at the presence of a channel. */
const MAX_INFO_BYTES = 4096;
/** Most channels that a session is put on by a claim. */
const MAX_SERVER_SUBSCRIPTIONS = 100;
/** The largest time that JavaScript's dates know, ms (ECMA-262, "Time Values and Time Range"). */
const MAX_TIME_MS = 8.64e15;

/** @throws {FanfareError} `unauthorized`, which names the claim that is wrong */
export function readClaims(claims: Readonly<Record<string, unknown>>): Claims {
  const { sub, exp, iat, jti, channels, info, subscribe } = claims;
  const names = subscribe === undefined ? [] : channelNames(subscribe);
  return {
    ...(sub !== undefined && { user: identifier('sub', sub) }),
    ...(exp !== undefined && { expiresAt: time('exp', exp) }),
    ...(iat !== undefined && { issuedAt: time('iat', iat) }),
    ...(jti !== undefined && { tokenId: identifier('jti', jti) }),
    permissions: new Permissions([
      ...(channels === undefined ? [] : grants(channels)),
      ...names.map((name): [string, Action[]] => [name, ['subscribe']]),
    ]),
    ...(info !== undefined && { info: boundedInfo(info) }),
    subscribe: names,
  };
}

function identifier(claim: string, value: unknown): string {
  if (isName(value)) return value;
  throw refused(claim, `must be 1 to ${MAX_NAME_BYTES} bytes of text`);
}

function time(claim: string, value: unknown): number {
  const ms = typeof value === 'number' ? Math.round(value * 1000) : Number.NaN;
  if (ms >= 0 && ms <= MAX_TIME_MS) return ms;
  throw refused(claim, 'must be seconds since the Unix epoch');
}

/**
 * The actions by pattern. Words that are no action of this version are passed over, because a later version may know
 * more.
 */
function grants(value: unknown): [string, Action[]][] {
  if (!isObject(value)) throw refused('channels', 'must be an object of patterns, each with a list of actions');
  return Object.entries(value).map(([pattern, actions]) => {
    if (!Array.isArray(actions) || !actions.every((action) => typeof action === 'string')) {
      throw refused('channels', `must have a list of actions for each pattern (${ACTIONS.join(', ')})`);
    }
    return [pattern, ACTIONS.filter((action) => actions.includes(action))];
  });
}

function boundedInfo(info: unknown): unknown {
  if (Buffer.byteLength(JSON.stringify(info)) <= MAX_INFO_BYTES) return info;
  throw refused('info', `must not be larger than ${MAX_INFO_BYTES} bytes`);
}

function channelNames(value: unknown): readonly string[] {
  if (!Array.isArray(value) || !value.every(isChannelName))
    throw refused('subscribe', 'must be a list of channel names');
  if (value.length > MAX_SERVER_SUBSCRIPTIONS)
    throw refused('subscribe', `must not name more than ${MAX_SERVER_SUBSCRIPTIONS} channels`);
  return [...new Set<string>(value)];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function refused(claim: string, why: string): FanfareError {
  return new FanfareError('unauthorized', `the claim ${claim} ${why}`);
}
