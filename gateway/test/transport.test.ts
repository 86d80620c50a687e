import { describe, expect, it } from 'vitest';
import { createUwsTransport, loadUws } from '../src/transport/uws.js';
import { createWsTransport } from '../src/transport/ws.js';
import { transportCases } from './cases/transport.cases.js';

describe('transport on ws and node:http', () => {
  transportCases('ws', createWsTransport);
});

const uws = loadUws();

describe('transport on uWebSockets.js', () => {
  if (uws.addon !== undefined) {
    transportCases('uws', createUwsTransport);
  } else {
    it.skip(`uWebSockets.js does not load here: ${uws.reason}`);
  }

  it('tells why it does not load, or loads', () => {
    if (uws.addon === undefined) expect(uws.reason).not.toBe('');
    else expect(uws.addon.App).toBeTypeOf('function');
  });
});
