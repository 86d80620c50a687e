import { createClient } from '@fanfare/client';
import { msgpackDialect } from '@fanfare/client/msgpack';
import type { ChannelLedger } from './channel-ledger.js';
import { decodePayload, textOf } from './payloads.js';
import type { VirtualGateway } from './virtual-gateway.js';
import type { VirtualWorld } from './virtual-world.js';

/** What a newcomer asks for. */
const COUNTS = [0, 1, 2, 5, 100];
const SPANS_MS = [1, 5_000, 92_000, 95_000, 24 * 3_600_000];

/**
 * A newcomer on a channel where nothing moves: it is given exactly the past that it asks for, by rewinding and
 * from the history. Returns what was wrong.
 */
export async function probe(
  world: VirtualWorld,
  gateway: VirtualGateway,
  channel: ChannelLedger,
  choose: (options: number) => number,
): Promise<string[]> {
  const problems: string[] = [];
  const isMsgpack = choose(2) === 0;
  const client = createClient({
    url: 'ws://virtual/ws',
    clock: world,
    ...(isMsgpack && { codec: msgpackDialect }),
    socket: ({ subprotocols }, handlers) => {
      const socket = gateway.connect(
        {
          onOpen: () => handlers.onOpen(),
          onMessage: (wire) => handlers.onMessage(wire),
          onClose: (code, reason) => handlers.onClose(code, reason),
        },
        subprotocols,
      );
      const close = (code: number) => socket.closedByClient(code);
      return { send: (wire) => socket.fromClient(wire), close, terminate: () => close(1006) };
    },
  });
  client.on('error', (error) => problems.push(`newcomer: ${String(error)}`));
  client.connect();
  const { name } = channel.spec;
  const { entries } = channel.view();
  const count = COUNTS[choose(COUNTS.length)] as number;
  const spanMs = SPANS_MS[choose(SPANS_MS.length)] as number;
  const isByTime = choose(2) === 0;
  const given: string[] = [];
  const beganMs = world.wall();
  const subscription = client
    .channel(name)
    .subscribe(
      ({ offset, data }) => given.push(`${offset} ${textOf(data)}`),
      isByTime ? { rewindMs: spanMs } : { rewind: count },
    );
  subscription.on('error', (error) => problems.push(`newcomer: ${String(error)}`));
  subscription.on('reset', ({ reason }) => problems.push(`newcomer: reset ${reason}`));
  const history = client.channel(name).history({ limit: count + 1 });
  let page: string[] | undefined;
  history.then(
    ({ messages }) => {
      page = messages.map(({ offset, data }) => `${offset} ${textOf(data)}`);
    },
    (error) => problems.push(`newcomer: ${String(error)}`),
  );
  await world.pass(20_000);
  const owed = (
    isByTime ? entries.filter(({ time }) => time >= beganMs - spanMs) : count === 0 ? [] : entries.slice(-count)
  ).map(spell);
  // The gateway may still have what the log no longer has.
  const others = given.splice(0, given.length - owed.length);
  const isOld = others.length === 0 || (channel.trimmedTo > 0 && (isByTime || others.length + given.length <= count));
  if (given.join() !== owed.join() || !isOld) problems.push(`newcomer on ${name} was given ${given} for ${owed}`);
  const owedPage = entries.slice(-(count + 1)).map(spell);
  if (page?.join() !== owedPage.join()) problems.push(`newcomer on ${name} was answered ${page} for ${owedPage}`);
  client.close();
  return problems;
}

function spell({ offset, payload }: ReturnType<ChannelLedger['view']>['entries'][number]): string {
  return `${offset} ${textOf(decodePayload(payload))}`;
}
