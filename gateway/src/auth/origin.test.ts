import { describe, expect, it } from 'vitest';
import { createOriginCheck, isOriginEntry } from './origin.js';

describe('origins', () => {
  const allowed = createOriginCheck([
    'https://App.example',
    'https://*.b.example',
    'http://localhost:*',
    'https://*.bücher.example',
    'https://port.example:443',
    'https://other.example:8443',
    'http://[0:0::1]:8080',
    'capacitor://localhost',
    'chrome-extension://*',
    'file://',
  ]);

  it.each([
    ['https://app.example', true],
    ['HTTPS://APP.EXAMPLE', true],
    ['http://app.example', false],
    ['https://app.example.evil', false],
    ['https://x.b.example', true],
    ['https://b.example', false],
    ['https://evil/.b.example', false],
    ['https://xb.example', false],
    ['https://x.bxexample', false],
    ['http://localhost:5173', true],
    ['http://localhost', true],
    ['https://localhost', false],
    ['https://app.example:443', true],
    ['https://app.example:80', false],
    ['https://user@app.example', false],
    ['https://app.example/', false],
    ['https://app.example.', false],
    ['https://x.bücher.example', true],
    ['https://X.XN--BCHER-KVA.example', true],
    ['https://port.example', true],
    ['https://other.example', false],
    ['https://other.example:8443', true],
    ['http://[::1]:8080', true],
    ['capacitor://localhost', true],
    ['Capacitor://LocalHost', true],
    ['capacitor://localhost:1', false],
    ['ionic://localhost', false],
    ['chrome-extension://abcdefgh', true],
    ['chrome-extension://', false],
    ['file://', true],
    ['null', false],
    ['not an origin', false],
    ['', true],
  ])('%s: %j', (origin, passes) => {
    expect(allowed(origin, 'gateway:1')).toBe(passes);
  });

  it('of the gateway itself pass, and all do under *', () => {
    expect(allowed('https://gateway:1', 'gateway:1')).toBe(true);
    expect(allowed('https://gateway:2', 'gateway:1')).toBe(false);
    // Ports that the scheme has anyway, on either side.
    expect(allowed('https://gateway', 'Gateway:443')).toBe(true);
    expect(allowed('https://gateway:443', 'gateway')).toBe(true);
    expect(allowed('http://gateway', 'gateway:443')).toBe(false);
    expect(allowed('https://xn--bcher-kva.example', 'bücher.example')).toBe(true);
    // A program's host is not the gateway's.
    expect(allowed('ionic://gateway', 'gateway')).toBe(false);
    expect(allowed('https://gateway', '')).toBe(false);
    expect(allowed('https://gateway', 'gateway/x')).toBe(false);
    expect(createOriginCheck(['null'])('null', '')).toBe(true);
    expect(createOriginCheck(['*'])('https://any', '')).toBe(true);
    expect(createOriginCheck([])('https://any', '')).toBe(false);
  });
});

it.each([
  ['*', true],
  ['null', true],
  ['https://a.example', true],
  ['https://*.a.example:*', true],
  ['tauri://localhost', true],
  ['file://', true],
  ['a.example', false],
  ['https://', false],
  ['https://a.example/', false],
  ['https://a.example/path', false],
  ['https://*.*.a.example', false],
  ['https://a b', false],
  ['', false],
])('the entry %s can be configured: %j', (entry, isOne) => {
  expect(isOriginEntry(entry)).toBe(isOne);
});
