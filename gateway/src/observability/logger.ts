import { type DestinationStream, pino } from 'pino';

type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

/** Where the gateway logs. Fields come first, then a constant message. Secrets are never logged. */
export interface Logger {
  trace(fields: object, message: string): void;
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  fatal(fields: object, message: string): void;
}

interface LoggerOptions {
  readonly level: LogLevel;
  /** Format of the lines. `json`: one object on each line. `text`: one readable line for each entry. */
  readonly format: 'json' | 'text';
  /** Name of the gateway, which is in every JSON line. */
  readonly node: string;
  /** Whether several processes write to the same place, so that text lines have the name too. */
  readonly isOneOfMany?: boolean;
  readonly destination: { write(text: string): unknown };
}

export function createLogger({ level, format, node, isOneOfMany = false, destination }: LoggerOptions): Logger {
  const stream: DestinationStream =
    format === 'json'
      ? (destination as DestinationStream)
      : { write: (line) => void destination.write(toText(line, isOneOfMany)) };
  return pino(
    {
      level,
      base: { node },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: pino.stdSerializers.err },
    },
    stream,
  );
}

/** `12:00:01.123 info  listening  port=8080`; an error's stack follows on its own lines. */
function toText(line: string, tellsNode: boolean): string {
  const { level, time, msg, node, error, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const pairs = Object.entries(fields).map(([name, value]) => `${name}=${plain(value)}`);
  const stack = error && typeof error === 'object' && 'stack' in error ? `\n${String(error.stack)}` : '';
  const who = tellsNode ? [`${node}:`] : [];
  const words = [String(time).slice(11, 23), String(level).padEnd(5), ...who, String(msg), ...pairs];
  return `${words.join(' ')}${stack}\n`;
}

function plain(value: unknown): string {
  // Text from outside must not look like a line of its own.
  return typeof value === 'string' && !/\p{Cc}/u.test(value) ? value : JSON.stringify(value);
}
