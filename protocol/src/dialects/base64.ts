/** Base64 with the standard alphabet and padding (RFC 4648 section 4). */
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const INVALID = 64;
const PAD = 0x3d;

const codes = new Uint8Array(64);
const values = new Uint8Array(256).fill(INVALID);
for (let i = 0; i < 64; i++) {
  codes[i] = ALPHABET.charCodeAt(i);
  values[codes[i] as number] = i;
}
/** Text is made of so many characters at a time: an engine takes only so many arguments. */
const STRIDE = 4096;

export function encodeBase64(bytes: Uint8Array): string {
  const text = new Uint8Array(Math.ceil(bytes.length / 3) * 4);
  let at = 0;
  for (let i = 0; i < bytes.length; i += 3) {
    const group = ((bytes[i] as number) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    text[at++] = codes[group >> 18] as number;
    text[at++] = codes[(group >> 12) & 63] as number;
    text[at++] = i + 1 < bytes.length ? (codes[(group >> 6) & 63] as number) : PAD;
    text[at++] = i + 2 < bytes.length ? (codes[group & 63] as number) : PAD;
  }
  let result = '';
  for (let start = 0; start < text.length; start += STRIDE) {
    result += String.fromCharCode(...text.subarray(start, start + STRIDE));
  }
  return result;
}

/** `undefined` if the text is no base64: foreign characters, white space, or padding missing. */
export function decodeBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0) return undefined;
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const digits = text.length - padding;
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  let at = 0;
  for (let i = 0; i < digits; i += 4) {
    let group = 0;
    for (let j = i; j < i + 4; j++) {
      const value = j < digits ? digitOf(text.charCodeAt(j)) : 0;
      if (value === INVALID) return undefined;
      group = (group << 6) | value;
    }
    bytes[at++] = group >> 16;
    if (at < bytes.length) bytes[at++] = group >> 8;
    if (at < bytes.length) bytes[at++] = group;
  }
  return bytes;
}

function digitOf(unit: number): number {
  return unit < 256 ? (values[unit] as number) : INVALID;
}
