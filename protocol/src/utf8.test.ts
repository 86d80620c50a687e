import { afterEach, describe, expect, it, vi } from 'vitest';

afterEach(() => vi.unstubAllGlobals());

/** The module as a runtime without a `TextDecoder` loads it. */
async function withoutTextDecoder() {
  vi.resetModules();
  vi.stubGlobal('TextDecoder', undefined);
  return await import('./utf8.js');
}

describe('decodeUtf8 where there is no TextDecoder', () => {
  it.each(['', 'plain', 'grüße', '漢字', '😀', '\ufeffmark', '\0\x7f\x80\u07ff\u0800\uffff'])(
    'reads %j',
    async (text) => {
      const { decodeUtf8 } = await withoutTextDecoder();
      expect(decodeUtf8(new TextEncoder().encode(text))).toBe(text);
    },
  );

  it.each([
    ['a stray continuation', [0x80]],
    ['a sequence cut short', [0xe2, 0x82]],
    ['an overlong form', [0xc0, 0xaf]],
    ['half a surrogate pair', [0xed, 0xa0, 0x80]],
    ['beyond Unicode', [0xf4, 0x90, 0x80, 0x80]],
  ])('refuses %s', async (_, bytes) => {
    const { decodeUtf8 } = await withoutTextDecoder();
    expect(() => decodeUtf8(new Uint8Array(bytes))).toThrow();
  });
});
