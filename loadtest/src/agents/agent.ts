import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { nowUs } from '../clock.js';
import { LocalGenerator } from '../run/generator.js';
import type { AgentReply, AgentRequest } from './agents.js';

interface Agent {
  readonly port: number;
  close(): void;
}

/**
 * Runs generator processes on this machine for whoever connects. Use it in a trusted network only, because they open
 * every connection that they are told to.
 */
export async function startAgent(host: string, port: number): Promise<Agent> {
  const server = new WebSocketServer({ host, port, maxPayload: 2 ** 30 });
  await new Promise<void>((resolve, reject) => {
    server.once('listening', resolve);
    server.once('error', reject);
  });
  server.on('connection', serve);
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      for (const client of server.clients) client.terminate();
      server.close();
    },
  };
}

/** Serves one connection. Its generators end with it. */
function serve(socket: WebSocket): void {
  const generators: LocalGenerator[] = [];
  const answer = async (request: AgentRequest): Promise<Omit<AgentReply, 'id'>> => {
    if (request.do === 'clock') return { nowUs: nowUs() };
    if (request.do === 'start') {
      for (let i = 0; i < request.count; i++) generators.push(new LocalGenerator());
      return {};
    }
    const generator = generators[request.generator];
    if (!generator) throw new Error(`there is no generator ${request.generator}`);
    return { reply: await generator.ask(request.request) };
  };
  socket.on('message', (data) => {
    const { id, request } = JSON.parse(String(data)) as { id: number; request: AgentRequest };
    answer(request).then(
      (reply) => socket.send(JSON.stringify({ id, ...reply })),
      (error: Error) => socket.send(JSON.stringify({ id, error: error.message })),
    );
  });
  socket.on('error', () => {}); // `close` follows
  socket.on('close', () => {
    for (const generator of generators) generator.end();
  });
}
