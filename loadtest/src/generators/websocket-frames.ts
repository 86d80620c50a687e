/** Just enough of RFC 6455 to be a cheap client: masked text frames out, frame bounds in. */

/** Largest payload whose length fits the 7 bits of the second byte. */
const SHORT_LENGTH = 125;

export const OPCODES = { text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** One masked text frame. The mask is zero: allowed, and the payload stays as it is. */
export function textFrame(text: string): Buffer {
  return dataFrame(text);
}

/** One masked frame: text of a string, binary of bytes. */
export function dataFrame(wire: string | Uint8Array): Buffer {
  const isText = typeof wire === 'string';
  const length = isText ? Buffer.byteLength(wire) : wire.length;
  const frame = maskedFrame(isText ? OPCODES.text : OPCODES.binary, length);
  if (isText) frame.write(wire, frame.length - length);
  else frame.set(wire, frame.length - length);
  return frame;
}

/** `payload` has 125 bytes at most. */
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

/** Where the payload of the frame at `at` begins and ends; `undefined` until all of it is there. */
export function frameBounds(bytes: Buffer, at: number): { begin: number; end: number } | undefined {
  if (at + 2 > bytes.length) return undefined;
  const short = (bytes[at + 1] as number) & 0x7f;
  const header = short === 127 ? 10 : short === 126 ? 4 : 2;
  if (at + header > bytes.length) return undefined;
  const length =
    short === 127 ? Number(bytes.readBigUInt64BE(at + 2)) : short === 126 ? bytes.readUInt16BE(at + 2) : short;
  const begin = at + header;
  return begin + length > bytes.length ? undefined : { begin, end: begin + length };
}

/** A WebSocket opening handshake. The key need not be random for a client that trusts the server. */
export function upgradeRequest(port: number, path: string, subprotocol?: string): string {
  return [
    `GET ${path} HTTP/1.1`,
    `Host: 127.0.0.1:${port}`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version: 13',
    ...(subprotocol ? [`Sec-WebSocket-Protocol: ${subprotocol}`] : []),
    '\r\n',
  ].join('\r\n');
}
