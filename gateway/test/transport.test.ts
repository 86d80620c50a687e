import { describe, expect, it } from 'vitest';
import { createUwsTransport, loadUws } from '../src/transport/uws.js';
import { createWsTransport } from '../src/transport/ws.js';
import { transportCases, transportTimeoutCases } from './cases/transport.cases.js';

const uws = loadUws();
const adapters = [
  ['ws and node:http', 'ws', createWsTransport] as const,
  ...(uws.addon === undefined ? [] : [['uWebSockets.js', 'uws', createUwsTransport] as const]),
];

describe.each(adapters)('transport on %s', (_, name, create) => transportCases(name, create));

describe.concurrent.each(adapters)('transport on %s, in real time', (_, name, create) =>
  transportTimeoutCases(name, create),
);

if (uws.addon === undefined)
  console.warn(`NOT TESTED: the transport on uWebSockets.js, which does not load here: ${uws.reason}`);

/** Whether the binaries of the pinned package, of which README.md tells, are made for this machine. */
function isMadeForHere(): boolean {
  if (process.platform === 'darwin') return true;
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch)) return false;
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  const minor = Number(header.glibcVersionRuntime?.split('.')[1] ?? -1);
  return minor >= (process.version.startsWith('v20.') ? 27 : 38);
}

// What a gateway does where it does not load is in e2e/transport-fallback.test.ts.
it('uWebSockets.js loads wherever its binaries are made for; elsewhere it may not, and one line says why', () => {
  if (uws.addon === undefined) {
    expect(uws.reason).toMatch(/^.+$/);
    expect(isMadeForHere(), uws.reason).toBe(false);
  } else {
    expect(uws.addon.App).toBeTypeOf('function');
  }
});
