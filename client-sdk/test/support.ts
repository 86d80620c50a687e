import { type ClientOptions, createClient, type FanfareClientError, type StateChange } from '../src/index.js';
import type { Message } from '../src/message.js';
import { FakeServer, type FakeServerOptions, LogServer, VirtualClock } from '../src/testing/index.js';

/** A client, what it told, and a gateway that does only what the test says. */
export function withFakeServer(options: Partial<ClientOptions> = {}, server: Partial<FakeServerOptions> = {}) {
  const clock = new VirtualClock();
  return { clock, ...connectTo(new FakeServer({ clock, ...server }), clock, options) };
}

/** A client, what it told, and a gateway with logs. */
export function withLogServer(options: Partial<ClientOptions> = {}, server: Partial<FakeServerOptions> = {}) {
  const clock = new VirtualClock();
  return { clock, ...connectTo(new LogServer({ clock, ...server }), clock, options) };
}

function connectTo<Server extends FakeServer>(server: Server, clock: VirtualClock, options: Partial<ClientOptions>) {
  const client = createClient({ url: 'ws://fake', clock, socket: server.socket, codec: server.dialect, ...options });
  const errors: FanfareClientError[] = [];
  const states: StateChange[] = [];
  client.on('error', (error) => errors.push(error));
  client.on('state', (change) => states.push(change));
  return { server, client, errors, states };
}

/** A handler that keeps what it is given. */
export function collect<T>() {
  const messages: Message<T>[] = [];
  return {
    messages,
    handler: (message: Message<T>) => void messages.push(message),
    data: () => messages.map(({ data }) => data),
  };
}

/** What a promise was rejected with. */
export function rejectionOf(promise: Promise<unknown>): Promise<FanfareClientError> {
  return promise.then(
    () => Promise.reject(new Error('it was not rejected')),
    (error) => error,
  );
}
