import type { DialectName, RawDialect } from './dialect.js';
import { jsonRawDialect } from './json-raw.js';
import { msgpackRawDialect } from './msgpack-raw.js';

export { jsonRawDialect, type PublishBody, parsePublishBody } from './json-raw.js';
export { msgpackRawDialect } from './msgpack-raw.js';
export { transcode } from './transcode.js';

export const RAW_DIALECTS: Readonly<Record<DialectName, RawDialect>> = {
  json: jsonRawDialect,
  msgpack: msgpackRawDialect,
};

/** The dialect for the subprotocols a client offers, in its order; JSON if it offers none, `undefined` if none is known. */
export function chooseDialect(offered: readonly string[]): RawDialect | undefined {
  if (offered.length === 0) return jsonRawDialect;
  for (const subprotocol of offered) {
    const dialect = Object.values(RAW_DIALECTS).find((one) => one.subprotocol === subprotocol);
    if (dialect) return dialect;
  }
  return undefined;
}
