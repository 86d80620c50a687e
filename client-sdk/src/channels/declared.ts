import { badRequest, type FanfareClientError } from '../errors.js';
import type { Kind } from './spec.js';
import type { Issue } from './standard-schema.js';

/** How a map is asked for what it declares of a name. No key of a map: those are channels. */
export const SPEC_OF: unique symbol = Symbol.for('fanfare.specOf');

/** What a client needs of a map at run time; one that was given none carries nothing of it. */
export interface Declared {
  /** `undefined` where no key fits the name. */
  readonly [SPEC_OF]: (name: string) => Declaration | undefined;
}

export interface Declaration {
  /** The name or pattern that declares it. */
  readonly key: string;
  readonly kind: Kind;
  /** Where there is a schema. */
  readonly parse: Parse | undefined;
  /** What is to be told where the gateway has a log of the channel and none was declared, or the other way round. */
  readonly findMismatch: (durable: boolean) => FanfareClientError | undefined;
}

/** What a schema makes of data. */
type Parse = (data: unknown) => ParseResult;
export type ParseResult =
  | { readonly value: unknown; readonly issues?: undefined }
  | { readonly issues: readonly Issue[] /** They as an error. */; readonly error: FanfareClientError };

/** @throws {FanfareClientError} `bad_request` if it is something else than what `defineChannels` returned. */
export function checkDeclared(map: object | undefined): Declared | undefined {
  if (map && !(SPEC_OF in map)) throw badRequest('channels has to come from defineChannels');
  return map as Declared | undefined;
}

/** @throws {FanfareClientError} `bad_request` if no key fits the name. */
export function declarationOf(map: Declared, name: string): Declaration {
  const declaration = map[SPEC_OF](name);
  if (declaration === undefined) throw badRequest(`no channel of the map fits ${name}`);
  return declaration;
}
