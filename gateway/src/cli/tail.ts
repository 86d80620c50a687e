import type { Message, Subscription } from '@fanfare/client';
import { gatewayUrl, parseArguments } from './arguments.js';
import { type Command, type ExitCode, UsageError } from './command.js';

const OPTIONS = {
  url: { type: 'string' },
  token: { type: 'string' },
  rewind: { type: 'string' },
  count: { type: 'string' },
} as const;

export const tail: Command = {
  name: 'tail',
  usage: '<channel> [flags]',
  about: 'Prints the messages of a channel, one JSON object a line, until it is stopped; comes back after any cut.',
  details: [
    '  --rewind n  begin with the last n messages',
    '  --count n   end after n messages',
    '  --url       the gateway; default FANFARE_URL, then http://localhost:8080',
    '  --token     a token; default FANFARE_TOKEN, then none',
    '',
    'What happens to the connection, and every gap, is told on stderr.',
  ].join('\n'),
  async run(argv, { env, out, err, untilStopped }) {
    const { values, positionals } = parseArguments(argv, OPTIONS, ['<channel>']);
    const [channel = ''] = positionals;
    const rewind = readCount(values.rewind, '--rewind');
    const wanted = readCount(values.count, '--count') ?? Number.POSITIVE_INFINITY;
    const token = values.token ?? env.FANFARE_TOKEN;
    const { createClient } = await import('@fanfare/client');
    const client = createClient({ url: socketUrl(gatewayUrl(values.url, env)), ...(token && { token }) });
    const tell = (line: string) => err(`${line}\n`);

    let seen = 0;
    let finish: (code: ExitCode) => void = () => undefined;
    const finished = new Promise<ExitCode>((resolve) => {
      finish = resolve;
    });
    const print = ({ channel: _, ...message }: Message) => {
      if (seen >= wanted) return;
      out(`${JSON.stringify(message)}\n`);
      if (++seen >= wanted) finish(0);
    };
    const fail = (error: Error) => {
      tell(`fanfare tail: ${error.message}`);
      finish(1);
    };
    client.on('state', (state) => tell(`(${state})`));
    client.on('error', fail);
    const subscription = client.channel(channel).subscribe(print, rewind === undefined ? {} : { rewind });
    tellGaps(subscription, tell, fail);
    client.connect();
    void untilStopped().then(() => finish(0));
    const code = await finished;
    client.close();
    return code;
  },
};

function tellGaps(subscription: Subscription, tell: (line: string) => void, fail: (error: Error) => void): void {
  subscription.on('recovered', ({ position }) => tell(`(recovered at ${position.epoch}-${position.offset})`));
  subscription.on('reset', ({ reason, position }) =>
    tell(`(reset: ${reason}, now at ${position.epoch}-${position.offset})`),
  );
  subscription.on('lagged', ({ missed }) =>
    tell(missed ? '(too slow: messages were missed)' : '(too slow: catching up)'),
  );
  subscription.on('error', fail);
}

/** The WebSocket endpoint of a gateway: `http://host` is `ws://host/ws`. */
function socketUrl(url: URL): string {
  const socket = new URL(url);
  socket.protocol = /^(https|wss):$/.test(url.protocol) ? 'wss:' : 'ws:';
  if (socket.pathname === '/') socket.pathname = '/ws';
  return socket.href;
}

function readCount(text: string | undefined, flag: string): number | undefined {
  if (text === undefined) return undefined;
  const count = Number(text);
  if (Number.isSafeInteger(count) && count > 0) return count;
  throw new UsageError(`${flag} wants a number from 1 on`);
}
