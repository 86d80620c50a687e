/** Tokens of clients, signed by WebCrypto: {@link signToken}. */
export { type Action, type Grants, type SigningKey, signToken, type TokenOptions } from './backend/token.js';
export type { NameOf } from './channels/patterns.js';
export { type ClientErrorCode, FanfareClientError, isFanfareError } from './errors.js';
