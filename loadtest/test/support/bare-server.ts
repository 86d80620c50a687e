import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

export type Fault = 'lost' | 'duplicated' | 'reordered' | 'corrupted';

/** As much of a gateway as a load test needs, with counters of its own, and faults on order. */
export interface BareServer {
  readonly url: string;
  /** Messages taken, and messages given to subscribers. */
  readonly published: number;
  readonly delivered: number;
  /** Added to every delivery. */
  delayMs: number;
  /** Stands still for so long, once, at the tenth message. */
  stallOnceMs: number;
  /** Happens to one message at one subscriber. */
  fault: Fault | undefined;
  reset(): void;
  close(): Promise<void>;
}

interface Channel {
  offset: number;
  readonly members: WebSocket[];
}

export async function startBareServer(): Promise<BareServer> {
  const channels = new Map<string, Channel>();
  const http = createServer((request, response) => response.end(request.url === '/health/live' ? '{}' : ''));
  const sockets = new WebSocketServer({ server: http });
  const state = { published: 0, delivered: 0, delayMs: 0, stallOnceMs: 0, fault: undefined as Fault | undefined };
  let taken = 0;
  let held: string | undefined;

  const channelOf = (name: string) => {
    const channel = channels.get(name) ?? { offset: 0, members: [] };
    channels.set(name, channel);
    return channel;
  };

  const give = (socket: WebSocket, text: string) => {
    state.delivered++;
    if (state.delayMs === 0) socket.send(text);
    // One timeout for all, so that they stay in order; timers of Node may be a millisecond early.
    else setTimeout(() => socket.send(text), state.delayMs + 1);
  };

  const publish = (name: string, data: string) => {
    const channel = channelOf(name);
    channel.offset++;
    const text = `{"type":"message","channel":"${name}","offset":${channel.offset},"data":${JSON.stringify(data)},"time":1}`;
    const isVictim = name.endsWith('-0');
    for (const [index, member] of channel.members.entries()) {
      if (index === 0 && isVictim && spoil(member, text, channel.offset)) continue;
      give(member, text);
    }
  };

  /** @returns whether it was dealt with. */
  const spoil = (socket: WebSocket, text: string, offset: number) => {
    if (held !== undefined && offset === 21) {
      give(socket, text);
      give(socket, held);
      held = undefined;
      return true;
    }
    if (offset !== 20) return false;
    if (state.fault === 'lost') return true;
    if (state.fault === 'duplicated') give(socket, text);
    if (state.fault === 'corrupted') {
      give(socket, text.replace(/[a-z]{3}","time"/, '###","time"'));
      return true;
    }
    if (state.fault === 'reordered') {
      held = text;
      return true;
    }
    return false;
  };

  sockets.on('connection', (socket) => {
    const reply = (frame: object) => socket.send(JSON.stringify(frame));
    socket.on('message', (raw) => {
      const frame = JSON.parse(String(raw)) as { type: string; id: number; channel: string; data: string };
      if (frame.type === 'connect') reply({ type: 'connected', id: frame.id, session: 's', ping: 25_000 });
      if (frame.type === 'subscribe') {
        const channel = channelOf(frame.channel);
        channel.members.push(socket);
        const { offset } = channel;
        reply({ type: 'subscribed', id: frame.id, channel: frame.channel, durable: true, epoch: '1', offset });
      }
      if (frame.type === 'publish') {
        taken++;
        if (taken === 10 && state.stallOnceMs > 0) {
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, state.stallOnceMs);
        }
        state.published++;
        publish(frame.channel, frame.data);
        reply({
          type: 'published',
          id: frame.id,
          channel: frame.channel,
          epoch: '1',
          offset: channelOf(frame.channel).offset,
        });
      }
    });
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return Object.assign(state, {
    url: `ws://127.0.0.1:${(http.address() as AddressInfo).port}/ws`,
    reset() {
      Object.assign(state, { published: 0, delivered: 0, delayMs: 0, stallOnceMs: 0, fault: undefined });
      channels.clear();
      taken = 0;
      held = undefined;
    },
    async close() {
      for (const socket of sockets.clients) socket.terminate();
      await new Promise((resolve) => http.close(resolve));
    },
  });
}
