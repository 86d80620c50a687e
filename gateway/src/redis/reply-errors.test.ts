import { expect, it } from 'vitest';
import {
  faultKind,
  isCrossSlot,
  isMoved,
  isMoving,
  isNotPermitted,
  isReadOnly,
  NotSentError,
  redirectionOf,
  tellsOfNoAccess,
} from './reply-errors.js';

function reply(message: string): Error {
  const error = new Error(message);
  error.name = 'ReplyError';
  return error;
}

it.each([
  ['OOM command not allowed when used memory > maxmemory'],
  ['READONLY You cannot write against a read only replica.'],
  ['LOADING Redis is loading the dataset in memory'],
  ['MOVED 1 127.0.0.1:1'],
  ['ASK 1 127.0.0.1:1'],
  ['TRYAGAIN Multiple keys request during rehashing of slot'],
  ['CLUSTERDOWN The cluster is down'],
  ['NOSCRIPT No matching script'],
  ['MISCONF Redis is configured to save RDB snapshots'],
  ['NOREPLICAS Not enough good replicas to write'],
  ['MASTERDOWN'],
])('takes "%s" for a refusal: nothing was done', (message) => {
  expect(faultKind(reply(message))).toBe('refused');
});

it('takes any other answer for a fault that a retry does not heal', () => {
  expect(faultKind(reply('WRONGTYPE Operation against a key holding the wrong kind of value'))).toBe('broken');
  expect(faultKind(reply('ERR something'))).toBe('broken');
});

it('is unsure where there is no answer, unless nothing was sent', () => {
  expect(faultKind(new Error('Connection is closed.'))).toBe('unknown');
  expect(faultKind(new Error('OOM in disguise'))).toBe('unknown');
  expect(faultKind(new NotSentError('not connected'))).toBe('refused');
});

it('reads where a slot is', () => {
  expect(redirectionOf(reply('MOVED 5 10.0.0.1:7000'))).toEqual({ kind: 'MOVED', host: '10.0.0.1', port: 7000 });
  expect(redirectionOf(reply('ASK 5 ::1:7000'))).toEqual({ kind: 'ASK', host: '::1', port: 7000 });
  expect(redirectionOf(reply('MOVED 5 :7000'))).toEqual({ kind: 'MOVED', host: '', port: 7000 });
  expect(redirectionOf(reply('MOVED 5 ?:7000'))).toBeUndefined();
  expect(redirectionOf(reply('OOM'))).toBeUndefined();
});

it.each([
  ["READONLY You can't write against a read only replica.", isReadOnly],
  ["CROSSSLOT Keys in request don't hash to the same slot", isCrossSlot],
  ['MOVED 5 ?:7000', isMoved],
  ['TRYAGAIN Multiple keys request during rehashing of slot', isMoving],
  ["NOPERM User a has no permissions to run the 'get' command", isNotPermitted],
])('reads the word that names an error: %s', (message, isSo) => {
  expect([isSo(reply(message)), isSo(reply(`ERR ${message}`)), isSo(reply(''))]).toEqual([true, false, false]);
});

it('finds in a text that a server does not want us', () => {
  expect(tellsOfNoAccess('127.0.0.1:6379: WRONGPASS invalid username-password pair')).toBe(true);
  expect(tellsOfNoAccess('connect ECONNREFUSED 127.0.0.1:6379')).toBe(false);
});
