/**
 * Encoder and decoder are made when they are used for the first time: the engine of React Native has a `TextEncoder`
 * only in newer versions, and no `TextDecoder`.
 */
let encoder: TextEncoder | undefined;
let decoder: TextDecoder | undefined;

export function encodeUtf8(text: string): Uint8Array {
  encoder ??= new TextEncoder();
  return encoder.encode(text);
}

/** Writes `text` into `target` from `at` on. Returns how many bytes it has written; there must be room for them. */
export function writeUtf8(text: string, target: Uint8Array, at: number): number {
  encoder ??= new TextEncoder();
  return encoder.encodeInto(text, target.subarray(at)).written;
}

/** A byte order mark is kept as a character. @throws {Error} if the bytes are no UTF-8, or without a `TextDecoder`. */
export function decodeNatively(bytes: Uint8Array): string {
  decoder ??= new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  return decoder.decode(bytes);
}

/** The same, also without a `TextDecoder`: slow, and as strict (ECMA-262, Decode). */
export function decodeUtf8(bytes: Uint8Array): string {
  if (typeof TextDecoder !== 'undefined') return decodeNatively(bytes);
  return decodeURIComponent(Array.from(bytes, (byte) => `%${(byte + 256).toString(16).slice(1)}`).join(''));
}

/** Bytes of `text` in UTF-8; `undefined` if it holds half a surrogate pair, which UTF-8 cannot carry. */
export function utf8Length(text: string): number | undefined {
  let bytes = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0xd800 && unit <= 0xdfff) {
      const next = text.charCodeAt(++i);
      if (unit > 0xdbff || !(next >= 0xdc00 && next <= 0xdfff)) return undefined;
      bytes += 4;
    } else {
      bytes += unit < 0x80 ? 1 : unit < 0x800 ? 2 : 3;
    }
  }
  return bytes;
}

/** Whether a value is well-formed text of 1 to `maxBytes` bytes. */
export function isText(value: unknown, maxBytes: number): value is string {
  if (typeof value !== 'string' || value.length === 0 || value.length > maxBytes) return false;
  return (utf8Length(value) ?? Number.POSITIVE_INFINITY) <= maxBytes;
}
