import { createClient } from '@fanfare/client';
import { channels } from './channels';

/** The server loads this module too, to render: a client opens nothing until a page mounts its provider. */
export const client = createClient({
  url: process.env.FANFARE_WS_URL as string,
  channels,
  token: async () => {
    const response = await fetch('/api/token');
    if (!response.ok) throw new Error(`no token: ${response.status}`);
    return response.text();
  },
});
