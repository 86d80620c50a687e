/** The table of what a namespace can say, as {@link SETTINGS} is that of the gateway. The same in both modes. */
import { setting } from './setting.js';
import { FRAME_OVERHEAD_BYTES, MAX_FRAME_BYTES } from './sizes.js';
import { duration, integer, oneOf, toggle } from './types.js';

const MAX_HISTORY_TTL_MS = 365 * 86_400_000;

export const NAMESPACE_SETTINGS = {
  durable: setting(toggle(), 'kept in a log, resumable; `false`: live, pushed once to who is there', { default: true }),
  history: {
    size: setting(
      integer(1, 1_000_000),
      'entries kept at least, 1 to 1,000,000; trimming is approximate. Ignored on live channels',
      { default: 1000 },
    ),
    ttl: setting(
      duration(1000, MAX_HISTORY_TTL_MS),
      'a log to which nobody published for that long ends; 1 s to 365 d. Ignored on live channels',
      { default: 86_400_000 },
    ),
  },
  subscribe: setting(
    oneOf('token', 'authenticated', 'anyone'),
    'who may subscribe and read the history: `token` (a permission in their token), `authenticated` (any user), `anyone`',
    { default: 'token' },
  ),
  publish: setting(
    oneOf('none', 'token', 'authenticated', 'anyone'),
    'which clients may publish: `none`, or as above. Backends publish over HTTP whatever this says',
    { default: 'none' },
  ),
  presence: setting(toggle(), 'whether members can be seen', { default: false }),
  maxMessageBytes: setting(
    integer(1, MAX_FRAME_BYTES - FRAME_OVERHEAD_BYTES, 'bytes'),
    'largest payload, as published',
    {
      derived: '`limits.messageBytes`',
    },
  ),
};
