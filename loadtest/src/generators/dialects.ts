import type { Dialect } from '@fanfare/protocol';
import { compactDialect } from '@fanfare/protocol/compact';
import { jsonDialect } from '@fanfare/protocol/json';
import { msgpackDialect } from '@fanfare/protocol/msgpack';
import type { Group } from '../scenario/scenario.js';

/** By the names of scenarios. */
export const DIALECTS: Readonly<Record<Group['dialect'], Dialect>> = {
  json: jsonDialect,
  compact: compactDialect,
  msgpack: msgpackDialect,
};

/** What a client of this dialect offers: a gateway that does not know it may answer in another that it reads. */
export function subprotocolsOf({ subprotocol, reads = [] }: Dialect): string {
  return [subprotocol, ...reads].join(', ');
}
