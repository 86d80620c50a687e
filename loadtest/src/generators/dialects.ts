import type { Dialect } from '@fanfare/protocol';
import { compactDialect } from '@fanfare/protocol/compact';
import { jsonDialect } from '@fanfare/protocol/json';
import { msgpackDialect } from '@fanfare/protocol/msgpack';
import type { Group } from '../scenario/scenario.js';

/** The dialects, by the names that scenarios have for them. */
export const DIALECTS: Readonly<Record<Group['dialect'], Dialect>> = {
  json: jsonDialect,
  compact: compactDialect,
  msgpack: msgpackDialect,
};

/**
 * Returns the subprotocols that a client of this dialect offers. A gateway that does not know the dialect may answer in
 * another one that it reads.
 */
export function subprotocolsOf({ subprotocol, reads = [] }: Dialect): string {
  return [subprotocol, ...reads].join(', ');
}
