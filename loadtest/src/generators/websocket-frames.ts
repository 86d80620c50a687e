/** Just enough of RFC 6455 for a cheap client that sends masked frames. */

/** The largest payload whose length fits the 7 bits of the second byte, bytes. */
const SHORT_LENGTH = 125;

export const OPCODES = { text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/**
 * Returns a masked frame: a text frame for a string, a binary frame for bytes. The mask is zero, which is allowed and
 * leaves the payload as it is.
 */
export function dataFrame(wire: string | Uint8Array): Buffer {
  const isText = typeof wire === 'string';
  const length = isText ? Buffer.byteLength(wire) : wire.length;
  const frame = maskedFrame(isText ? OPCODES.text : OPCODES.binary, length);
  if (isText) frame.write(wire, frame.length - length);
  else frame.set(wire, frame.length - length);
  return frame;
}

/** Returns a masked control frame. `payload` has 125 bytes at most. */
export function controlFrame(opcode: number, payload: Uint8Array): Buffer {
  const frame = maskedFrame(opcode, payload.length);
  frame.set(payload, frame.length - payload.length);
  return frame;
}

function maskedFrame(opcode: number, length: number): Buffer {
  const header = length <= SHORT_LENGTH ? 6 : length < 65_536 ? 8 : 14;
  const frame = Buffer.alloc(header + length);
  frame[0] = 0x80 | opcode;
  if (header === 6) {
    frame[1] = 0x80 | length;
  } else if (header === 8) {
    frame[1] = 0x80 | 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 0x80 | 127;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
  return frame;
}
