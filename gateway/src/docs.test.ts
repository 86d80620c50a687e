/** What the pages for users say, held against the code. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ERROR_CODES, RESET_REASONS } from '@fanfare/protocol';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openApiDocument } from './api/openapi.js';
import { SCHEMAS } from './api/openapi-schemas.js';
import { HTTP_CODES } from './api/problem.js';
import { type Limits, loadConfig } from './config.js';
import { LIMIT_NAMES, SETTINGS } from './config-settings.js';

const page = (name: string) => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');

/** Cells of the table rows of a page, backquotes kept. */
function rows(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

const codes = (cell = '') => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1]);

describe('docs/CONFIGURATION.md', () => {
  const text = page('CONFIGURATION.md');

  it('has a row for each setting, with its flag and variables', () => {
    const documented = rows(text).filter((cells) => cells[1]?.startsWith('`--'));
    expect(documented.map(([path, flag, variables]) => [codes(path)[0], codes(flag)[0], codes(variables)])).toEqual(
      SETTINGS.filter((one) => one.about).map(({ path, flag, variables }) => [path, flag, variables]),
    );
  });

  it('names every setting of a later version, and no variable or flag that is none', () => {
    const later = SETTINGS.filter((one) => !one.about).map(
      ({ path, variables }) => `\`${path}\` (\`${variables[0]}\`)`,
    );
    expect(later.filter((one) => !text.includes(one))).toEqual([]);
    const known = new Set([...SETTINGS.flatMap(({ flag, variables }) => [flag, ...variables]), '--config']);
    const named = [...text.matchAll(/FANFARE_\w+|--[a-z][a-z-]+/g)].map((match) => match[0]);
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  });

  it('tells the limits as they are', () => {
    const limits: Record<string, Limits> = {
      production: loadConfig({ argv: [], env: { FANFARE_MODE: 'production', FANFARE_API_KEYS: 'k' }, cwd: '/nowhere' })
        .limits,
      development: loadConfig({ argv: [], env: {}, cwd: '/nowhere' }).limits,
    };
    for (const name of LIMIT_NAMES) {
      const row = rows(text).find((cells) => cells[0] === `\`limits.${name}\``) as string[];
      if (name === 'frameBytes') continue;
      expect(Number(codes(row[3])[0]), name).toBe(limits.production?.[name]);
      const development = row[4] === 'off' ? Infinity : Number(codes(row[4] === 'the same' ? row[3] : row[4])[0]);
      expect(development, name).toBe(limits.development?.[name]);
    }
    expect(limits.production?.frameBytes).toBe(65_536 + 8 * 1024);
  });

  it('shows a file that loads', () => {
    const folder = mkdtempSync(join(tmpdir(), 'fanfare-docs-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, 'fanfare.config.json'), /```json\n(.*?)```/s.exec(text)?.[1] as string);
    const { namespaceSettings } = loadConfig({ argv: [], env: {}, cwd: folder });
    expect([...namespaceSettings.keys()]).toEqual(['', 'chat', 'cursor']);
    expect(namespaceSettings.get('cursor')).toMatchObject({ durable: false, maxMessageBytes: 65_536 });
  });

  it('tells what a namespace is without a word', () => {
    const folder = mkdtempSync(join(tmpdir(), 'fanfare-docs-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const value = (name: string) => codes(rows(text).find((cells) => cells[0] === `\`${name}\``)?.[1])[0] as string;
    const names = ['durable', 'subscribe', 'publish', 'presence', 'history.size', 'history.ttl'] as const;
    const [durable, subscribe, publish, presence, size, ttl] = names.map((name) => JSON.parse(value(name)) as unknown);
    const said = { durable, subscribe, publish, presence, history: { size, ttl } };
    writeFileSync(join(folder, 'fanfare.config.json'), JSON.stringify({ namespaces: { said, unsaid: {} } }));
    const { namespaceSettings } = loadConfig({ argv: [], env: {}, cwd: folder });
    expect(namespaceSettings.get('unsaid')).toEqual(namespaceSettings.get('said'));
  });
});

describe('docs/HTTP-API.md', () => {
  const text = page('HTTP-API.md');

  it('lists the codes that the API answers with, each with its status', () => {
    const listed = rows(text).filter((cells) => /^\d{3}$/.test(cells[1] ?? ''));
    const statusOf = (code: string) =>
      code in RESET_REASONS ? 409 : { ...ERROR_CODES, ...HTTP_CODES }[code as keyof typeof HTTP_CODES]?.httpStatus;
    for (const [code, status] of listed)
      expect([code, Number(status)]).toEqual([code, statusOf(codes(code)[0] as string)]);
    const names = listed.map(([code]) => codes(code)[0]);
    expect(names).toEqual(expect.arrayContaining([...Object.keys(RESET_REASONS), ...Object.keys(HTTP_CODES)]));
  });

  it('has a heading for each path of the OpenAPI document', () => {
    const paths = Object.entries(openApiDocument('0').paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const headings = text
      .split('\n')
      .filter((line) => line.startsWith('## '))
      .join('\n');
    expect(paths.filter((path) => !new RegExp(`${path}($|,)`, 'm').test(headings))).toEqual([]);
  });

  it('names the fields of a message as they are', () => {
    for (const field of Object.keys(SCHEMAS.PublishOne.properties)) expect(text).toContain(`| \`${field}\` |`);
    for (const field of Object.keys(SCHEMAS.Message.properties)) expect(text).toContain(`"${field}":`);
  });
});
