import { describe, expect, it } from 'vitest';
import { Permissions } from './permissions.js';

describe('a pattern', () => {
  it.each([
    ['chat:*', 'chat:1', true],
    ['chat:*', 'chat:', true],
    ['chat:*', 'chatx:1', false],
    ['chat:*', 'chat', false],
    ['chat:*', 'Chat:1', false],
    ['chat*', 'chatx:1', true],
    ['*', 'anything', true],
    ['chat:1', 'chat:1', true],
    ['chat:1', 'chat:12', false],
    ['chat:1', 'chat:', false],
    ['', 'chat:1', false],
    ['ch*t:1', 'chat:1', false],
    ['ch*t:1', 'ch*t:1', true],
    ['**', '*a', true],
    ['**', 'a', false],
    ['.*', 'a', false],
    // Unicode: the composed and the decomposed spelling are two names, and so are look-alikes.
    ['caf\u00e9:*', 'caf\u00e9:1', true],
    ['caf\u00e9:*', 'cafe\u0301:1', false],
    ['\u0441hat:*', 'chat:1', false],
    // A pattern may end within a surrogate pair or be longer than any channel name can be.
    ['\ud83d*', '\ud83d\ude00', true],
    [`${'a'.repeat(10_000)}*`, 'a'.repeat(255), false],
    [`${'a'.repeat(255)}*`, 'a'.repeat(255), true],
  ])('%j matches %j: %j', (pattern, channel, expected) => {
    expect(new Permissions([[pattern, ['publish']]]).allows('publish', channel)).toBe(expected);
  });

  it.each([
    ['chat:*', 'chat:room', true],
    ['chat:*', 'chat:', true],
    ['chat:*', 'chat', false],
    ['chat:*', '', false],
    ['*', '', true],
    ['chat:1', 'chat:1', false],
  ])('%j covers all that begin with %j: %j', (pattern, prefix, expected) => {
    expect(new Permissions([[pattern, ['publish']]]).allowsAll('publish', prefix)).toBe(expected);
  });
});

describe('permissions', () => {
  it('add up over patterns, each action by itself', () => {
    const permissions = new Permissions([
      ['*', ['subscribe']],
      ['chat:*', ['history']],
      ['chat:1', ['publish']],
    ]);
    const allowed = (channel: string) =>
      (['subscribe', 'publish', 'history', 'presence'] as const).filter((action) =>
        permissions.allows(action, channel),
      );
    expect(allowed('chat:1')).toEqual(['subscribe', 'publish', 'history']);
    expect(allowed('chat:2')).toEqual(['subscribe', 'history']);
    expect(allowed('news')).toEqual(['subscribe']);
  });

  it('of one channel add up, too: a claim for it and its place among those that a session is put on', () => {
    const permissions = new Permissions([
      ['chat:1', ['publish']],
      ['chat:1', ['subscribe']],
    ]);
    expect(permissions.allows('publish', 'chat:1')).toBe(true);
    expect(permissions.allows('subscribe', 'chat:1')).toBe(true);
  });

  it('know no name by inheritance', () => {
    expect(new Permissions([]).allows('subscribe', 'constructor')).toBe(false);
  });
});
