/**
 * Keeps the channels that a client is on in line with its token: with the claim `subscribe`, and with its permissions.
 */
import type { Channels } from '../channels/channels.js';
import { FanfareError, toFanfareError } from '../errors.js';
import type { Client } from './client.js';
import type { SessionListener } from './services.js';

interface StandingOptions {
  readonly channels: Pick<Channels, 'access'>;
  /** Called with faults that should not happen. */
  readonly onFault: (message: string, error?: unknown) => void;
}

export function createStanding({ channels: { access }, onFault }: StandingOptions): SessionListener {
  /** Puts a client on a channel that its token names. The client is told by a `subscribed` without `id`. */
  async function bringOn(client: Client, name: string): Promise<void> {
    if (client.isClosed || client.memberships.has(name)) return;
    const decision = access.permit(client, 'subscribe', name);
    const channel = decision instanceof Promise ? await decision : decision;
    if (channel instanceof FanfareError) throw channel;
    if (client.isClosed) return;
    const { durable } = channel;
    await client.memberships.subscribe(channel, {
      start: undefined,
      presence: false,
      isUnasked: true,
      onJoined({ position }) {
        const stand = position && { epoch: String(position.epoch), offset: position.offset };
        client.reply({ type: 'subscribed', channel: name, durable, ...stand });
      },
      onFailed: (error) => tell(client, name, error),
    });
  }

  function tell(client: Client, channel: string, error: unknown): void {
    const failure = toFanfareError(error);
    if (failure.code === 'internal') onFault('a channel named by a token failed', error);
    client.reply({ type: 'unsubscribed', channel, code: failure.code, message: failure.message });
  }

  function bringOnAll(client: Client): void {
    for (const name of client.identity?.subscribe ?? []) {
      client.memberships.turns.run(name, () => bringOn(client, name)).catch((error) => tell(client, name, error));
    }
  }

  return {
    onConnected: bringOnAll,
    onRefreshed(client) {
      for (const name of [...client.memberships.names()]) {
        if (access.isRefused(client, 'subscribe', name))
          client.takeOff(name, new FanfareError('forbidden', 'no longer allowed'));
      }
      bringOnAll(client);
    },
  };
}
