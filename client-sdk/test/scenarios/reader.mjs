/**
 * A program that reads one channel with the built SDK, by one client for each dialect, and writes down what it is given:
 * a line in a file of the dialect, before the handler returns, so that the file says the truth even if the process is killed.
 * It goes on from its last line, or with `named` from the position that the SDK keeps.
 *
 * Its argument is JSON: `{ url, channel, folder, publishes, named, secret, user, connectTimeoutMs }`. SIGUSR2 makes its event loop stand still
 * for STALL_MS (faults/stall.mjs). When its standard input ends it publishes no more, and says so (`quiet`) once all that it
 * published is answered; SIGTERM ends it in good order.
 */
import { openSync, readFileSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { compactDialect, createClient, jsonDialect } from '@fanfare/client';
import { msgpackDialect } from '@fanfare/client/msgpack';
import { customPositions } from '@fanfare/client/positions';
import { signToken } from '@fanfare/client/tokens';

const DIALECTS = { json: jsonDialect, compact: compactDialect, msgpack: msgpackDialect };
const PUBLISH_EVERY_MS = 50;
const TOKEN_S = 3;

const { url, channel, folder, publishes, named, secret, user, connectTimeoutMs } = JSON.parse(process.argv[2]);
let isPublishing = publishes;

const readers = Object.entries(DIALECTS).map(([name, codec]) => begin(name, codec));
await Promise.all(readers.map(({ subscription }) => subscription.ready()));
process.stdout.write('ready\n');

process.stdin.resume().once('end', async () => {
  isPublishing = false;
  await Promise.all(readers.map(({ published }) => published));
  process.stdout.write('quiet\n');
});
process.once('SIGTERM', () => {
  for (const { client } of readers) client.close();
  process.disconnect();
});
// Nor does it outlive who started it.
process.once('disconnect', () => process.exit());

function begin(name, codec) {
  const path = join(folder, `${name}.jsonl`);
  const before = linesOf(path);
  const file = openSync(path, 'a');
  const note = (line) => writeSync(file, `${JSON.stringify(line)}\n`);
  const token = async () => {
    note({ kind: 'token' });
    return signToken({ key: secret, user, expiresInS: TOKEN_S });
  };
  const client = createClient({
    url,
    codec,
    backoff: { baseMs: 100, maxMs: 1_000 },
    connectTimeoutMs,
    // How long a publish may take: none is given up for that.
    requestTimeoutMs: 60_000,
    positions: named ? customPositions(fileStore(join(folder, `${name}.position`))) : undefined,
    token: user === undefined ? undefined : token,
  });
  client.on('state', ({ state, reason }) => note({ kind: 'state', state, reason }));
  client.on('error', ({ code, message }) => note({ kind: 'error', code, message }));
  const last = before.findLast(({ kind }) => kind === 'message' || kind === 'reset' || kind === 'start');
  const subscription = client
    .channel(channel)
    .subscribe(
      ({ data, epoch, offset }) => void note({ kind: 'message', epoch, offset, by: data.by, n: data.n }),
      named ? { resumeAs: 'reader' } : { since: last && { epoch: last.epoch, offset: last.offset } },
    );
  subscription.on('reset', ({ reason, position }) => note({ kind: 'reset', reason, ...position }));
  subscription.on('lagged', () => note({ kind: 'lagged' }));
  if (!last) subscription.on('subscribed', ({ position, again }) => again || note({ kind: 'start', ...position }));
  client.connect();
  return { client, subscription, published: publishes ? publish(client, name, note) : undefined };
}

/** Publishes numbers, each when the last one is answered. */
async function publish(client, name, note) {
  const by = `${name} of ${process.pid}`;
  for (let n = 1; isPublishing; n++) {
    const { epoch, offset } = await client.channel(channel).publish({ by, n });
    note({ kind: 'published', epoch, offset, by, n });
    await delay(PUBLISH_EVERY_MS);
  }
}

function fileStore(path) {
  return {
    load: () => linesOf(path)[0],
    save: (_, position) => {
      writeFileSync(`${path}.new`, JSON.stringify(position));
      renameSync(`${path}.new`, path);
    },
    remove: () => writeFileSync(path, ''),
  };
}

function linesOf(path) {
  try {
    return readFileSync(path, 'utf8').split('\n').filter(Boolean).map(JSON.parse);
  } catch {
    return [];
  }
}
