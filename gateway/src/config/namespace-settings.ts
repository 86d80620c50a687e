/**
 * The table of the settings of a namespace, as `SETTINGS` is the table for the gateway. Defaults are the same in both
 * modes.
 */
import { setting } from './setting.js';
import { FRAME_OVERHEAD_BYTES, MAX_FRAME_BYTES } from './sizes.js';
import { duration, integer, oneOf, toggle } from './types.js';

const MAX_HISTORY_TTL_MS = 365 * 86_400_000;

const access = oneOf('none', 'token', 'owner', 'authenticated', 'anyone', 'hook');

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
    access: setting(access, 'who may read the history, as `subscribe` has it', { derived: 'as `subscribe`' }),
  },
  subscribe: setting(
    access,
    'who may subscribe: `token` (a permission in their token), `owner` (the user whose name follows the `:`, and `token`), `authenticated` (any user), `anyone`, `hook` (whom the application allows when it is asked), `none`',
    { default: 'token' },
  ),
  publish: setting(access, 'which clients may publish, as above. Backends publish over HTTP whatever this says', {
    default: 'none',
  }),
  presence: setting(toggle(), 'whether members can be seen', { default: false }),
  presenceAccess: setting(access, 'who may see them, as above', { derived: 'as `subscribe`' }),
  maxMessageBytes: setting(
    integer(1, MAX_FRAME_BYTES - FRAME_OVERHEAD_BYTES, 'bytes'),
    'largest payload, as published',
    {
      derived: '`limits.messageBytes`',
    },
  ),
};
