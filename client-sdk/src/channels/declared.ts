import { badRequest, type FanfareClientError } from '../errors.js';
import type { Kind } from './spec.js';
import type { Issue } from './standard-schema.js';

/**
 * The key under which a map holds the function that finds what it declares of a name. It is a symbol because the other
 * keys of a map are channels.
 */
export const SPEC_OF: unique symbol = Symbol.for('fanfare.specOf');

/** What a client needs of a map at run time. A client that was given no map carries nothing of this. */
export interface Declared {
  /** Returns the declaration of a name, or `undefined` if no key fits it. */
  readonly [SPEC_OF]: (name: string) => Declaration | undefined;
}

export interface Declaration {
  /** The name or pattern that declares it. */
  readonly key: string;
  readonly kind: Kind;
  /** Checks and translates data. It is undefined if there is no schema. */
  readonly parse: Parse | undefined;
  /**
   * Returns the error to report if the gateway has a log of the channel and none was declared, or the other way round.
   */
  readonly findMismatch: (durable: boolean) => FanfareClientError | undefined;
}

/** Checks data by a schema, and returns what the schema makes of it. */
type Parse = (data: unknown) => ParseResult;
export type ParseResult =
  | { readonly value: unknown; readonly issues?: undefined }
  | {
      readonly issues: readonly Issue[];
      /** The issues as the error to report. */
      readonly error: FanfareClientError;
    };

/** @throws {FanfareClientError} `bad_request` if it is something else than what `defineChannels` returned. */
export function checkDeclared(map: object | undefined): Declared | undefined {
  if (map && !(SPEC_OF in map)) throw badRequest('channels has to come from defineChannels');
  return map as Declared | undefined;
}

/**
 * Returns the declaration of a name.
 * @throws {FanfareClientError} `bad_request` if no key fits it
 */
export function declarationOf(map: Declared, name: string): Declaration {
  const declaration = map[SPEC_OF](name);
  if (declaration === undefined) throw badRequest(`no channel of the map fits ${name}`);
  return declaration;
}
