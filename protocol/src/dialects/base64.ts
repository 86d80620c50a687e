/** Base64 with the standard alphabet and padding (RFC 4648 section 4). */
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
/** The value of each digit, at its character code. */
const VALUES: number[] = [];
for (let value = 0; value < ALPHABET.length; value++) VALUES[ALPHABET.charCodeAt(value)] = value;

export function encodeBase64(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const group = ((bytes[i] as number) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    for (const shift of [18, 12, 6, 0]) text += ALPHABET[(group >> shift) & 63];
  }
  const padding = (3 - (bytes.length % 3)) % 3;
  return text.slice(0, text.length - padding) + '=='.slice(0, padding);
}

/** Decodes base64. `undefined` if the text is none: it has other characters, white space, or lacks padding. */
export function decodeBase64(text: string): Uint8Array | undefined {
  const digits = text.replace(/==?$/, '');
  if (text.length % 4 !== 0) return undefined;
  const bytes = new Uint8Array((digits.length * 3) >> 2);
  let bits = 0;
  for (let i = 0; i < digits.length; i++) {
    const value = VALUES[digits.charCodeAt(i)];
    if (value === undefined) return undefined;
    bits = (bits << 6) | value;
    const place = i % 4;
    // The first of four digits completes no byte.
    if (place > 0) bytes[(i * 3) >> 2] = bits >> (6 - place * 2);
  }
  return bytes;
}
