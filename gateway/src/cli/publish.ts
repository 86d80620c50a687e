import { channelName, gatewayUrl, parseArguments } from './arguments.js';
import { type Command, UsageError } from './command.js';

const OPTIONS = {
  url: { type: 'string' },
  key: { type: 'string' },
  'idempotency-key': { type: 'string' },
  tag: { type: 'string', multiple: true },
} as const;

export const publish: Command = {
  name: 'publish',
  usage: '<channel> <json> [flags]',
  about: 'Publishes one message over HTTP and prints the answer.',
  details: [
    '  --url              the gateway; default FANFARE_URL, then http://localhost:8080',
    '  --key              an API key; default FANFARE_API_KEY, then dev',
    '  --idempotency-key  repeated within the window, it publishes once',
    '  --tag name=value   a label that travels with the message; may be repeated',
  ].join('\n'),
  async run(argv, { env, out, err }) {
    const { values, positionals } = parseArguments(argv, OPTIONS, ['<channel>', '<json>']);
    const [channel, data = ''] = positionals;
    const body = requestBody(channelName(channel), data, values['idempotency-key'], values.tag);
    const key = values.key ?? (env.FANFARE_API_KEY?.trim() || 'dev');
    const url = new URL('/v1/publish', gatewayUrl(values.url, env));
    const response = await post(url, key, body);
    const text = await response.text();
    if (response.ok) {
      out(`${text.trimEnd()}\n`);
      return 0;
    }
    err(`fanfare publish: ${problemLine(text) ?? `the gateway answered ${response.status}`}\n`);
    return 1;
  },
};

/** The data goes in as it was written. @throws {UsageError} */
function requestBody(channel: string, data: string, key: string | undefined, tags: readonly string[] = []): string {
  try {
    JSON.parse(data);
  } catch (error) {
    throw new UsageError(`<json> is not JSON: ${(error as Error).message}`);
  }
  const pairs = tags.map((tag) => {
    const equals = tag.indexOf('=');
    if (equals < 1) throw new UsageError(`--tag wants name=value, not "${tag}"`);
    return [tag.slice(0, equals), tag.slice(equals + 1)];
  });
  const rest = JSON.stringify({ key, tags: pairs.length > 0 ? Object.fromEntries(pairs) : undefined });
  return `{"channel":${JSON.stringify(channel)},"data":${data}${rest === '{}' ? '}' : `,${rest.slice(1)}`}`;
}

async function post(url: URL, key: string, body: string): Promise<Response> {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  try {
    return await fetch(url, { method: 'POST', headers, body });
  } catch (error) {
    const cause = (error as Error).cause;
    const why = cause instanceof Error ? cause.message || (cause as NodeJS.ErrnoException).code : undefined;
    throw new Error(`no gateway answers at ${url.origin}: ${why ?? (error as Error).message}`, { cause: error });
  }
}

function problemLine(text: string): string | undefined {
  try {
    const { code, detail } = JSON.parse(text) as { code?: unknown; detail?: unknown };
    return typeof code === 'string' ? `${code}: ${String(detail)}` : undefined;
  } catch {
    return undefined;
  }
}
