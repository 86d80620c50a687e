import { apiKey, channelName, gatewayUrl, parseArguments } from './arguments.js';
import { type Command, UsageError } from './command.js';
import { ask } from './http.js';

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
  async run(argv, { env, out }) {
    const { values, positionals } = parseArguments(argv, OPTIONS, ['<channel>', '<json>']);
    const [channel, data = ''] = positionals;
    const body = requestBody(channelName(channel), data, values['idempotency-key'], values.tag);
    const key = apiKey(values.key, env);
    const url = new URL('/v1/publish', gatewayUrl(values.url, env));
    out(`${(await ask(url, { key, body })).trimEnd()}\n`);
    return 0;
  },
};

/** The body of the request. The data goes in as it was written. @throws {UsageError} */
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
