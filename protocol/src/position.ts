/**
 * Where a reader stands in the log of a durable channel.
 *
 * `epoch` names one unforked stretch of the log: an opaque string to clients (at present the decimal digits of an
 * integer below 2^53). `offset` is the offset of the last message seen. Offsets start at 1 and run on across epochs; 0
 * means "before the first message".
 */
export interface Position {
  /** Names one unforked stretch of the log; an opaque text. */
  readonly epoch: string;
  /** The offset of the last message seen, counted from 1 on. 0: before the first message. */
  readonly offset: number;
}

/** Writes a position as the HTTP API and the CLI show it: `<epoch>-<offset>`. */
export function formatPosition(position: Position): string {
  return `${position.epoch}-${position.offset}`;
}

/** Reads `<epoch>-<offset>`; `undefined` if the text is anything else. */
export function parsePosition(text: string): Position | undefined {
  const match = /^([^-\s]{1,64})-(\d{1,16})$/.exec(text);
  if (!match) return undefined;
  const offset = Number(match[2]);
  return Number.isSafeInteger(offset) ? { epoch: match[1] as string, offset } : undefined;
}
