import { jsonDialect } from '@fanfare/protocol/json';

/** The frames of one text of a gateway: one, or an array of them. */
export function framesIn<Frame>(wire: string | Uint8Array): Frame[] {
  return jsonDialect.decodeAll(wire) as Frame[];
}
