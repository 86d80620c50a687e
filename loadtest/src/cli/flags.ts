import { type ParseArgsConfig, parseArgs } from 'node:util';

/** The command line is wrong; the program ends with 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

type Options = NonNullable<ParseArgsConfig['options']>;
type Parsed<O extends Options> = ReturnType<typeof parseArgs<{ args: string[]; options: O; allowPositionals: true }>>;

/** Like `parseArgs` with positionals, but wrong flags are a {@link UsageError}. */
export function parseFlags<const O extends Options>(args: readonly string[], options: O): Parsed<O> {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** Reads a whole number of at least `least`. */
export function wholeNumber(flag: string, text: string, least = 1): number {
  if (!/^\d{1,9}$/.test(text) || Number(text) < least)
    throw new UsageError(`--${flag} takes a whole number from ${least} on, not ${text}`);
  return Number(text);
}

const UNITS_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;

/** Reads a time such as `500ms`, `5s`, `2m` or `1h`, as ms. */
export function timeMs(flag: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text);
  if (!match) throw new UsageError(`--${flag} takes a time such as 500ms, 30s or 5m, not ${text}`);
  return Number(match[1]) * UNITS_MS[match[2] as keyof typeof UNITS_MS];
}
