/** Fakes for tests of applications: a gateway in memory, and a clock that only moves when told. */
export { FakeLog, type LogEntry, type Verdict } from './fake-log.js';
export { type AnyFrame, FakeLink, FakeServer, type FakeServerOptions } from './fake-server.js';
export { type Coverage, LogServer, type LogServerOptions } from './log-server.js';
export { settle, VirtualClock } from './virtual-clock.js';
