import { createClient } from '@fanfare/client';
import { createHooks } from '@fanfare/client/react';
import { channels } from './channels';

export const { FanfareProvider, useClient, useMessages, usePresence, useConnection } = createHooks<typeof channels>();

/** A client for whoever has logged in. Each connection asks for a token, and so does one whose token is about to expire. */
export function clientFor(name: string) {
  const token = async () => {
    const response = await fetch(`/token?name=${encodeURIComponent(name)}`);
    if (!response.ok) throw new Error(await response.text());
    return response.text();
  };
  return createClient({ url: '/ws', channels, token });
}
