/** Faults in the clients of a gateway. */
import { of } from './of.mjs';

export default [
  ...of('gateway/src/session/violations.ts', 'gateway/src/session/violations.test.ts', [
    ['ten violations in a day end a connection', ' < VIOLATIONS_WINDOW_MS;', ' >= 0;'],
  ]),
];
