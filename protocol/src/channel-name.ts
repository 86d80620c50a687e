/** Longest channel name, in bytes of UTF-8. */
export const MAX_CHANNEL_BYTES = 255;

/**
 * Whether this is a valid channel name: 1 to 255 bytes of well-formed UTF-8, without control characters, white space
 * (as Unicode defines them) and U+FEFF.
 */
export function isChannelName(name: unknown): name is string {
  if (typeof name !== 'string' || name.length === 0 || name.length > MAX_CHANNEL_BYTES) return false;
  let bytes = 0;
  for (let i = 0; i < name.length; i++) {
    const unit = name.charCodeAt(i);
    if (unit <= 0x20 || (unit >= 0x7f && unit < 0xa0)) return false;
    if (unit >= 0xd800 && unit <= 0xdfff) {
      const next = name.charCodeAt(i + 1);
      if (unit > 0xdbff || !(next >= 0xdc00 && next <= 0xdfff)) return false;
      bytes += 4;
      i++;
    } else {
      bytes += unit < 0x80 ? 1 : unit < 0x800 ? 2 : 3;
    }
  }
  if (bytes > MAX_CHANNEL_BYTES) return false;
  // Names in ASCII, which have one byte for each code unit, were checked above.
  return bytes === name.length || !/\s/.test(name);
}

/**
 * The namespace of a channel: the part of its name before the first `:`. Without a `:` it is `""`, the default
 * namespace.
 */
export function namespaceOf(channel: string): string {
  const colon = channel.indexOf(':');
  return colon < 0 ? '' : channel.slice(0, colon);
}
