import { describe, expect, it } from 'vitest';
import { createOriginCheck } from './origin.js';

describe('origins', () => {
  const allowed = createOriginCheck(['https://App.example', 'https://*.b.example', 'http://localhost:*']);

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
    ['http://localhost', false],
    ['null', false],
    ['', true],
  ])('%s: %j', (origin, passes) => {
    expect(allowed(origin, 'gateway:1')).toBe(passes);
  });

  it('of the gateway itself pass, and all do under *', () => {
    expect(allowed('https://gateway:1', 'gateway:1')).toBe(true);
    expect(allowed('https://gateway:2', 'gateway:1')).toBe(false);
    expect(createOriginCheck(['*'])('https://any', '')).toBe(true);
    expect(createOriginCheck([])('https://any', '')).toBe(false);
  });
});
