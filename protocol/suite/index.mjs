/** The black-box suite: cases that hold any gateway to docs/PROTOCOL.md. See README.md. */
import { dialects } from './cases/dialects.mjs';
import { handshake } from './cases/handshake.mjs';
import { history } from './cases/history.mjs';
import { http } from './cases/http.mjs';
import { liveness } from './cases/liveness.mjs';
import { malformed } from './cases/malformed.mjs';
import { publish } from './cases/publish.mjs';
import { subscribe } from './cases/subscribe.mjs';

const groups = { handshake, malformed, subscribe, publish, history, dialects, http, liveness };

/** Every case, under the name of its group. */
export const cases = Object.entries(groups).flatMap(([group, list]) =>
  list.map(({ name, slow = false, run }) => ({
    name: `${group}: ${name}`,
    slow,
    needsHttp: group === 'http',
    run: (target) => runAlone(run, target),
  })),
);

/** Runs one case and ends the connections it opened. */
async function runAlone(run, target) {
  const clients = [];
  try {
    await run({ ...target, onClient: (client) => clients.push(client) });
  } finally {
    for (const client of clients) client.terminate();
  }
}
