/** The faults that `npm run test:mutations` puts into the source, one at a time. */
import broker from './broker.mjs';
import features from './features.mjs';
import hub from './hub.mjs';
import redis from './redis.mjs';
import sdk from './sdk.mjs';
import session from './session.mjs';
import transport from './transport.mjs';

export const MUTATIONS = [...broker, ...redis, ...hub, ...session, ...transport, ...features, ...sdk];
