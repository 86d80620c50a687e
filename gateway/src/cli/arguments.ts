import { type ParseArgsConfig, parseArgs } from 'node:util';
import { isChannelName } from '@fanfare/protocol';
import { UsageError } from './command.js';

type Options = NonNullable<ParseArgsConfig['options']>;
type Parsed<T extends Options> = ReturnType<
  typeof parseArgs<{ args: string[]; options: T; strict: true; allowPositionals: true }>
>;

/** Reads the flags and arguments of a command. @throws {UsageError} */
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
  // A negative number is JSON and no flag, so it is put behind `--`, where nothing is taken for a flag.
  const isNumber = (text: string) => /^-\d/.test(text);
  const isFlag = (text: string) => !isNumber(text);
  const args = argv.includes('--') ? [...argv] : [...argv.filter(isFlag), '--', ...argv.filter(isNumber)];
  try {
    return parseArgs({ args, options, strict: true, allowPositionals: true });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** @throws {UsageError} */
export function channelName(text: string | undefined): string {
  if (isChannelName(text)) return text;
  throw new UsageError(`"${text}" is not a channel name: 1 to 255 bytes without white space and control characters`);
}

type Environment = Readonly<Record<string, string | undefined>>;

/** The API key: from `--key`, then from `FANFARE_API_KEY`, then that of a gateway in development. */
export function apiKey(flag: string | undefined, env: Environment): string {
  return flag ?? (env.FANFARE_API_KEY?.trim() || 'dev');
}

/**
 * The URL of the gateway, with the scheme `http:` or `https:`: from `--url`, then from `FANFARE_URL`, then this
 * machine. @throws {UsageError}
 */
export function gatewayUrl(flag: string | undefined, env: Environment): URL {
  const text = flag ?? (env.FANFARE_URL?.trim() || 'http://localhost:8080');
  const withScheme = text.includes('://') ? text : `http://${text}`;
  const url = URL.canParse(withScheme) ? new URL(withScheme.replace(/^ws/i, 'http')) : undefined;
  if (url && /^https?:$/.test(url.protocol)) return url;
  throw new UsageError(`"${text}" is not an http://, https://, ws:// or wss:// URL`);
}
