import { expect, it } from 'vitest';
import { createLogger } from './logger.js';

function capture() {
  const lines: string[] = [];
  return { lines, destination: { write: (text: string) => lines.push(text) } };
}

it('writes one JSON object a line, with the node and errors unfolded', () => {
  const { lines, destination } = capture();
  const logger = createLogger({ level: 'info', format: 'json', node: 'n1', destination });
  logger.debug({}, 'too quiet');
  logger.warn({ shard: 's1', error: new Error('gone') }, 'shard lost');
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0] as string)).toMatchObject({
    level: 'warn',
    node: 'n1',
    msg: 'shard lost',
    shard: 's1',
    error: { message: 'gone' },
  });
});

it('writes one readable line in development, and the stack of an error below it', () => {
  const { lines, destination } = capture();
  const logger = createLogger({ level: 'info', format: 'text', node: 'n1', destination });
  logger.info({ port: 8080, host: 'localhost' }, 'listening');
  logger.error({ error: new Error('gone') }, 'failed');
  expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d\.\d{3} info {2}listening port=8080 host=localhost\n$/);
  expect(lines[1]).toMatch(/^\S+ error failed\nError: gone\n {4}at /);
});

it('tells the node in text as well where several write to one place', () => {
  const { lines, destination } = capture();
  const logger = createLogger({ level: 'info', format: 'text', node: 'n1-2', isOneOfMany: true, destination });
  logger.info({ port: 8080 }, 'listening');
  expect(lines[0]).toMatch(/ info {2}n1-2: listening port=8080\n$/);
});

it('quotes control characters in text, so that what strangers wrote is no line of its own', () => {
  const { lines, destination } = capture();
  const logger = createLogger({ level: 'info', format: 'text', node: 'n1', destination });
  logger.warn({ origin: 'https://a\n12:00:00.000 error forged', host: 'a b' }, 'refused');
  expect(lines[0]).toMatch(/refused origin="https:\/\/a\\n12:00:00\.000 error forged" host=a b\n$/);
});
