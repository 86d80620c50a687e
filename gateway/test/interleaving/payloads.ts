import type { Payload } from '@fanfare/protocol';
import { msgpackDialect } from '@fanfare/protocol/msgpack';

/** What message `n` says; some hold binary, which the two dialects spell differently. */
export function dataOf(n: number): unknown {
  return n % 4 === 0 ? { n, blob: Uint8Array.of(n & 0xff, 0xc1) } : n;
}

/** The number of a message that says this. */
export function numberOf(data: unknown): number {
  return typeof data === 'object' ? (data as { n: number }).n : (data as number);
}

/** Data as one text, in whatever dialect it came. */
export function textOf(data: unknown): string {
  return JSON.stringify(data, (_key, value) =>
    value instanceof Uint8Array ? { $binary: Buffer.from(value).toString('base64') } : value,
  );
}

/** As a backend publishes it by HTTP. */
export function jsonPayload(n: number): Payload {
  return { format: 'json', bytes: Buffer.from(textOf(dataOf(n))) };
}

/** The data of a payload, in whatever dialect it was published. */
export function decodePayload({ format, bytes }: Payload): unknown {
  if (format === 'json') return JSON.parse(Buffer.from(bytes).toString());
  // The dialect reads maps: one whose only entry, `d`, is the payload.
  return msgpackDialect.decode(Uint8Array.of(0x81, 0xa1, 0x64, ...bytes)).d;
}
