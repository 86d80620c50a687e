import { type ParseArgsConfig, parseArgs } from 'node:util';
import { UsageError } from './command.js';

type Options = NonNullable<ParseArgsConfig['options']>;
type Parsed<T extends Options> = ReturnType<
  typeof parseArgs<{ args: string[]; options: T; strict: true; allowPositionals: true }>
>;

/** Flags and arguments of a command. @throws {UsageError} */
export function parseArguments<const T extends Options>(
  argv: readonly string[],
  options: T,
  names: readonly string[],
): Parsed<T> {
  const parsed = parse(argv, options);
  const { positionals } = parsed;
  if (positionals.length !== names.length) {
    const missing = names[positionals.length];
    throw new UsageError(missing ? `${missing} is missing` : `unexpected argument "${positionals[names.length]}"`);
  }
  return parsed;
}

function parse<const T extends Options>(argv: readonly string[], options: T): Parsed<T> {
  try {
    return parseArgs({ args: [...argv], options, strict: true, allowPositionals: true });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** `--url`, then `FANFARE_URL`, then this machine. @throws {UsageError} */
export function gatewayUrl(flag: string | undefined, env: Readonly<Record<string, string | undefined>>): URL {
  const text = flag ?? (env.FANFARE_URL || 'http://localhost:8080');
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && /^(https?|wss?):$/.test(url.protocol)) return url;
  throw new UsageError(`"${text}" is not an http:// or https:// URL`);
}
