import type { Message, StateChange, SubscribeOptions, Subscription } from '@fanfare/client';
import { parsePosition } from '@fanfare/protocol';
import { channelName, gatewayUrl, parseArguments } from './arguments.js';
import { type Command, type ExitCode, UsageError } from './command.js';

const OPTIONS = {
  url: { type: 'string' },
  token: { type: 'string' },
  rewind: { type: 'string' },
  since: { type: 'string' },
  count: { type: 'string' },
} as const;

export const tail: Command = {
  name: 'tail',
  usage: '<channel> [flags]',
  about: 'Prints the messages of a channel, one JSON object a line, until it is stopped; comes back after any cut.',
  details: [
    '  --rewind n                begin with the last n messages',
    '  --since <epoch>-<offset>  begin after this message, wherever it was read',
    '  --count n                 end after n messages',
    '  --url                     the gateway; default FANFARE_URL, then http://localhost:8080',
    '  --token                   a token; default FANFARE_TOKEN, then none',
    '',
    'What happens to the connection, and every gap, is told on stderr.',
  ].join('\n'),
  async run(argv, { env, out, err, untilStopped }) {
    const { values, positionals } = parseArguments(argv, OPTIONS, ['<channel>']);
    const channel = channelName(positionals[0]);
    const start = readStart(values);
    const wanted = readCount(values.count, '--count', 1) ?? Number.POSITIVE_INFINITY;
    const url = gatewayUrl(values.url, env);
    const token = values.token ?? env.FANFARE_TOKEN?.trim();
    const { createClient } = await import('@fanfare/client');
    const client = createClient({ url: url.href, ...(token && { token }) });
    const tell = (line: string) => err(`${line}\n`);

    let seen = 0;
    let finish: (code: ExitCode) => void = () => undefined;
    const finished = new Promise<ExitCode>((resolve) => {
      finish = resolve;
    });
    const print = ({ channel: _, ...message }: Message) => {
      if (seen >= wanted) return;
      out(`${JSON.stringify(message, spellBinary)}\n`);
      if (++seen >= wanted) finish(0);
    };
    client.on('state', (change) => {
      tell(wordsOf(change, url));
      if (change.state === 'failed') finish(1);
    });
    client.on('error', ({ code, message }) => tell(`fanfare tail: ${code}: ${message}`));
    const subscription = client.channel(channel).subscribe(print, start);
    tellGaps(subscription, tell);
    subscription.on('error', ({ code, message }) => {
      tell(`fanfare tail: ${code}: ${message}`);
      finish(1);
    });
    client.connect();
    client.ready().catch(() => finish(1));
    void untilStopped().then(() => finish(0));
    const code = await finished;
    client.close();
    return code;
  },
};

/**
 * A change of state in words, such as
 * `(waiting: no connection to http://localhost:8080/: connect ECONNREFUSED 127.0.0.1:8080; next try in 0.3 s)`.
 */
function wordsOf({ state, previous, code, reason, retryInMs = 0 }: StateChange, url: URL): string {
  if (state !== 'waiting') return `(${state})`;
  const what = previous === 'connected' ? `lost the connection to ${url}` : `no connection to ${url}`;
  const why = code === 1006 ? reason : `${code} ${reason}`;
  return `(waiting: ${what}${why && `: ${why}`}; next try in ${(retryInMs / 1000).toFixed(1)} s)`;
}

function tellGaps(subscription: Subscription, tell: (line: string) => void): void {
  subscription.on('recovered', ({ position }) => tell(`(recovered at ${position.epoch}-${position.offset})`));
  subscription.on('reset', ({ reason, position }) =>
    tell(`(reset: ${reason}, now at ${position.epoch}-${position.offset})`),
  );
  subscription.on('lagged', ({ missed }) =>
    tell(missed ? '(too slow: messages were missed)' : '(too slow: catching up)'),
  );
}

/** A replacer that writes binary data as the HTTP API does. */
function spellBinary(_: string, value: unknown): unknown {
  return value instanceof Uint8Array ? { $binary: Buffer.from(value).toString('base64') } : value;
}

function readStart(flags: { rewind?: string | undefined; since?: string | undefined }): SubscribeOptions {
  const rewind = readCount(flags.rewind, '--rewind', 0);
  if (flags.since === undefined) return rewind === undefined ? {} : { rewind };
  if (rewind !== undefined) throw new UsageError('give at most one of --rewind and --since');
  const since = parsePosition(flags.since);
  if (since) return { since };
  throw new UsageError('--since wants <epoch>-<offset>, as two fields of a message that tail printed');
}

function readCount(text: string | undefined, flag: string, least: number): number | undefined {
  if (text === undefined) return undefined;
  const count = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(count) && count >= least) return count;
  throw new UsageError(`${flag} wants a number from ${least} on`);
}
