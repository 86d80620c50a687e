import { defineChannels, durable } from '@fanfare/client';

/** One map for the server, which publishes, and the page, which reads. */
export const channels = defineChannels({
  'demo:orders': durable<{ order: string; status: 'taken' | 'sent' }>(),
});
