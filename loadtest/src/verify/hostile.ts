import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { RawConnection } from '../generators/raw-connection.js';

export type HostileKind = 'malformed' | 'half-open' | 'deaf';

interface HostilePlan {
  readonly urls: readonly string[];
  readonly kind: HostileKind;
  readonly count: number;
  readonly random: () => number;
  readonly signal: AbortSignal;
}

const LIFE_MS = 3_000;
/** None of these is a frame; the gateway must refuse each and harm nobody else. */
const MALFORMED: readonly (string | Uint8Array)[] = [
  '{"type":',
  '[]',
  'null',
  '{"type":"connect","id":"one"}',
  '{"type":"subscribe","id":1,"channel":"demo:x"}',
  '{"type":"__proto__","id":1}',
  new Uint8Array([0xc1, 0xff, 0x00]),
  `{"type":"connect","id":1,"token":"${'x'.repeat(20_000)}"}`,
];

/** Runs clients that behave badly for a while: they send what is broken, never answer, or never read. */
export async function hostileClients({ urls, kind, count, random, signal }: HostilePlan): Promise<void> {
  const ends = Array.from({ length: count }, (_, index) => {
    const url = new URL(urls[index % urls.length] as string);
    return kind === 'half-open' && index % 2 === 0 ? rawGarbage(url, random) : badClient(url, kind, random);
  });
  await sleep(LIFE_MS, undefined, { signal }).catch(() => {});
  for (const end of ends) end();
}

/** Opens a TCP connection on which half a request is sent, or something that is no HTTP. */
function rawGarbage(url: URL, random: () => number): () => void {
  const socket = connect(Number(url.port || 80), url.hostname);
  socket.on('error', () => {});
  if (random() < 0.5) socket.write('GET /ws HTTP/1.1\r\nHost: x\r\nUpgra');
  else socket.write(Buffer.from(Array.from({ length: 200 }, () => Math.floor(random() * 256))));
  return () => socket.destroy();
}

function badClient(url: URL, kind: HostileKind, random: () => number): () => void {
  const connection = new RawConnection(
    { url, subprotocol: 'fanfare.json.v1' },
    {
      onOpen: () => {
        if (kind === 'malformed') {
          for (let i = 0; i < 12; i++) connection.send(MALFORMED[Math.floor(random() * MALFORMED.length)] as string);
          return;
        }
        connection.send('{"type":"connect","id":1}');
        connection.send('{"type":"subscribe","id":2,"channel":"demo:load-hostile"}');
        if (kind === 'deaf') connection.pause();
      },
      onMessage: () => {},
      onClose: () => {},
    },
  );
  return () => connection.destroy();
}
