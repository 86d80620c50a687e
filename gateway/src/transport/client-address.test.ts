import { expect, it } from 'vitest';
import { createClientAddress, parseNetwork } from './client-address.js';

const addressOf = createClientAddress(['10.0.0.0/8', '192.0.2.7', 'fd00::/8']);

it.each([
  ['10.0.0.1', '198.51.100.1', '198.51.100.1'],
  ['10.0.0.1', '', '10.0.0.1'],
  // What a client writes itself stands to the left of what the proxy adds.
  ['10.0.0.1', '203.0.113.9, 198.51.100.1', '198.51.100.1'],
  ['10.0.0.1', '198.51.100.1,10.1.2.3 , 192.0.2.7', '198.51.100.1'],
  ['192.0.2.7', '10.0.0.2', '10.0.0.2'],
  ['192.0.2.8', '198.51.100.1', '192.0.2.8'],
  ['fd00::1', '2001:db8::1', '2001:db8::1'],
  ['::ffff:10.0.0.1', '198.51.100.1', '198.51.100.1'],
  ['10.0.0.1', '198.51.100.1:4711', '198.51.100.1'],
  ['10.0.0.1', '[2001:db8::1]:4711', '2001:db8::1'],
  ['10.0.0.1', 'unknown', '10.0.0.1'],
  ['10.0.0.1', '198.51.100.1, <script>', '10.0.0.1'],
  ['', '198.51.100.1', ''],
])('%s with X-Forwarded-For "%s" is %s', (peer, forwardedFor, client) => {
  expect(addressOf(peer, forwardedFor)).toBe(client);
});

it('believes nobody by default', () => {
  expect(createClientAddress([])('127.0.0.1', '198.51.100.1')).toBe('127.0.0.1');
});

it.each(['10.0.0.0/33', '10.0.0', 'proxy.example', '10.0.0.0/8/8', 'fd00::/129', ''])('"%s" is no network', (text) => {
  expect(parseNetwork(text)).toBeUndefined();
});
