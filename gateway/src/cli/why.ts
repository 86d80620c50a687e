import type { SessionVerdict, WhyAnswer, WhyShare } from '../why/calls.js';
import { apiKey, channelName, gatewayUrl, parseArguments } from './arguments.js';
import { type Command, UsageError } from './command.js';
import { ask } from './http.js';

const OPTIONS = {
  url: { type: 'string' },
  key: { type: 'string' },
  session: { type: 'string' },
  json: { type: 'boolean' },
} as const;

export const why: Command = {
  name: 'why',
  usage: '<channel>@<offset> [flags]',
  about: 'Says what became of a message: in the log, on every gateway, and for a client.',
  details: [
    '  <channel>@<epoch>-<offset> names one of a history that was lost since',
    '  --session id  what became of it for this client: `session` of its `connected` frame, or as GET /v1/sessions says',
    '  --json        the answer of GET /v1/why as it is',
    '  --url         a gateway, which asks the others; default FANFARE_URL, then http://localhost:8080',
    '  --key         an API key with the scope admin; default FANFARE_API_KEY, then dev',
    '',
    'Gateways remember the latest events only, as many as recordedEvents says; docs/OBSERVABILITY.md says more.',
  ].join('\n'),
  async run(argv, { env, out }) {
    const { values, positionals } = parseArguments(argv, OPTIONS, ['<channel>@<offset>']);
    const { channel, epoch, offset } = readMessage(positionals[0] ?? '');
    const url = new URL('/v1/why', gatewayUrl(values.url, env));
    const query = { channel, epoch, offset, session: values.session };
    for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, value);
    const text = await ask(url, { key: apiKey(values.key, env) });
    out(values.json ? `${text.trimEnd()}\n` : toText(JSON.parse(text) as WhyAnswer, values.session));
    return 0;
  },
};

/**
 * Reads the name of a message, such as `chat:1@42` or `chat:1@1763800000000000-42`. The last `@` counts, because names
 * may contain others. @throws {UsageError}
 */
function readMessage(text: string): { channel: string; epoch: string | undefined; offset: string } {
  const [, name, epoch, offset] = /^(.*)@(?:(\d+)-)?(\d+)$/.exec(text) ?? [];
  if (offset === undefined) throw new UsageError(`"${text}" names no message: <channel>@<offset>`);
  return { channel: channelName(name), epoch, offset };
}

function toText({ channel, offset, log, gateways, missing }: WhyAnswer, session: string | undefined): string {
  const sections = [
    `${channel}@${log.epoch === undefined ? '' : `${log.epoch}-`}${offset}: ${wordsOfLog(log)}`,
    ...gateways.map(wordsOfGateway),
    ...missing.map((node) => `gateway ${node}: did not answer`),
    ...(session === undefined ? [] : [wordsOfSession(session, gateways)]),
  ];
  return `${sections.join('\n')}\n`;
}

function wordsOfLog({ state, time, user, key, except, detail }: WhyAnswer['log']): string {
  if (state === 'trimmed') return 'it was in the log, and is no longer kept';
  if (state === 'lost') return 'the log has another history now, in which it is not: a failover lost it';
  if (state === 'unpublished') return 'the log does not reach so far: it was not published yet';
  if (state === 'unknown') return `the log cannot be read: ${detail}`;
  const of = user === undefined ? '' : ` of user ${user}`;
  const named = key === undefined ? '' : `, key ${key}`;
  const apart = except === undefined ? '' : `, not for session ${except}`;
  return `a message${of} in the log since ${clockOf(time as number)}${named}${apart}`;
}

function wordsOfGateway(share: WhyShare): string {
  const { node, since, channel, published, received, flushed, reset, dropped, replayed } = share;
  const lines: [at: number, words: string][] = [];
  if (published) lines.push([published.at, `its publisher was answered here (${published.by})`]);
  if (received?.by === 'log')
    lines.push([received.at, 'read from the log: its push did not come, or could not be taken']);
  if (flushed) {
    const how = received?.by === 'push' ? 'came by push, and was ' : '';
    lines.push([flushed.at, `${how}sent to ${clients(flushed.subscribers)} at once`]);
  }
  if (reset) lines.push([reset.at, `all clients were told a reset over it (${reset.reason})`]);
  for (const one of dropped) lines.push([one.at, `dropped for ${one.session}, which reads too slowly`]);
  for (const one of replayed) lines.push([one.at, `sent to ${one.session} alone, which caught up`]);
  lines.sort(([a], [b]) => a - b);
  const more = share.droppedCount + share.replayedCount - dropped.length - replayed.length;
  const told = lines.map(([at, words]) => `  ${clockOf(at)}  ${words}`);
  if (more > 0) told.push(`  and ${more} more clients for which it was dropped, or to which it was sent alone`);
  if (told.length === 0) {
    const memory = since === undefined ? 'since it began' : `since ${clockOf(since)}: what was before is forgotten`;
    told.push(`  nothing happened to it here ${memory}`);
  }
  told.push(`  now: ${standing(channel)}`);
  return [`gateway ${node}`, ...told].join('\n');
}

function standing(channel: WhyShare['channel']): string {
  if (!channel) return 'nobody is on the channel here';
  const waiting = channel.pending > 0 ? `, ${channel.pending} messages wait to be sent` : '';
  return `${clients(channel.subscribers)} on the channel, which is at ${channel.offset ?? 'no offset yet'}${waiting}`;
}

const VERDICTS: Readonly<Record<SessionVerdict['verdict'], string>> = {
  sent: 'it was sent, together with all others',
  replayed: 'it was sent, alone, when the client caught up',
  dropped: 'it was dropped, or may have been: the client read too slowly, and has not come back for it',
  behind: 'not sent: the client began behind it, or had it already',
  gone: 'not sent: the client had left the channel',
  reset: 'not sent: the client was told a reset over it',
  excepted: 'not sent: the publisher excepted this session',
  waiting: 'not sent yet: the client is on the channel, and the message has not come there',
  unknown: 'nothing that is remembered tells of it',
};

function wordsOfSession(session: string, gateways: readonly WhyShare[]): string {
  const known = gateways.filter((one) => (one.session?.events.length ?? 0) > 0);
  if (known.length === 0) return `session ${session}: no gateway remembers it on this channel`;
  return known
    .map(({ node, session: told }) => {
      const { verdict, at, events } = told as SessionVerdict;
      const when = at === undefined ? '' : `, ${clockOf(at)}`;
      const lines = events.map(
        ({ at, what, from, to }) => `  ${clockOf(at)}  ${what} ${from === to ? to : `${from} to ${to}`}`,
      );
      return [`session ${session} on ${node}: ${VERDICTS[verdict]}${when}`, ...lines].join('\n');
    })
    .join('\n');
}

function clients(count: number): string {
  return count === 1 ? '1 client' : `${count} clients`;
}

/** Date and time in UTC, as in the log. */
function clockOf(ms: number): string {
  return new Date(ms).toISOString().replace('T', ' ');
}
