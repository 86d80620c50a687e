import { expect, it } from 'vitest';
import { isChannelName } from './channel-name.js';

it.each(['a', 'chat:1', 'ß', 'チャット:一', '🎺', 'a\u200b', '\u{10ffff}', 'é'.repeat(127)])('takes %j', (name) => {
  expect(isChannelName(name)).toBe(true);
});

it.each(['', 1, null, '\ud800', '\udc00a', 'a'.repeat(256), 'é'.repeat(128), '🎺'.repeat(64)])('refuses %j', (name) => {
  expect(isChannelName(name)).toBe(false);
});

it('refuses every control character, all white space of Unicode, and U+FEFF', () => {
  const refused = [];
  for (let unit = 0; unit <= 0xffff; unit++) {
    const isSurrogate = unit >= 0xd800 && unit <= 0xdfff;
    if (!isSurrogate && !isChannelName(`a${String.fromCharCode(unit)}b`)) refused.push(unit);
  }
  const expected = Array.from({ length: 0x10000 }, (_, unit) => unit).filter((unit) =>
    /[\p{Cc}\p{White_Space}\ufeff]/u.test(String.fromCharCode(unit)),
  );
  expect(refused).toEqual(expected);
});
