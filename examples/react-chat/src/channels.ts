import { defineChannels, durable } from '@fanfare/client';

/** Everything that there is to subscribe to. A name that is not in here does not compile. */
export const channels = defineChannels({
  'demo:room:*': durable<{ text: string }>(),
});
