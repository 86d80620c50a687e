import 'server-only';
import { createPublisher } from '@fanfare/client/publisher';
import { channels } from './channels';

const { FANFARE_URL = 'http://localhost:8080', FANFARE_API_KEY = 'dev' } = process.env;

/** Speaks HTTP and keeps no connection, so it also serves in a function that lives for one request. */
export const publisher = createPublisher({ url: FANFARE_URL, apiKey: FANFARE_API_KEY, channels });
