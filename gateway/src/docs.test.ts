/** What the pages for users say, held against the code. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ERROR_CODES, RESET_REASONS } from '@fanfare/protocol';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openApiDocument } from './api/openapi.js';
import { SCHEMAS } from './api/openapi-schemas.js';
import { HTTP_CODES } from './api/problem.js';
import { loadConfig } from './config/config.js';
import { withTables } from './config/docs.js';
import { placed } from './config/setting.js';
import { SETTINGS } from './config/settings.js';

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

  it('has the tables that follow from the settings: node scripts/config-docs.mjs', () => {
    expect(text).toBe(withTables(text));
    for (const name of ['settings', 'namespaces', 'limits']) expect(text).toContain(`<!-- ${name} -->\n\n|`);
  });

  it('names no variable or flag that is none', () => {
    const known = new Set([...placed(SETTINGS).flatMap(({ flag, variables }) => [flag, ...variables]), '--config']);
    const named = [...text.matchAll(/FANFARE_\w+|--[a-z][a-z-]+/g)].map((match) => match[0]);
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  });

  it('shows a file that loads', () => {
    const folder = mkdtempSync(join(tmpdir(), 'fanfare-docs-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, 'fanfare.config.json'), /```json\n(.*?)```/s.exec(text)?.[1] as string);
    const { namespaceSettings } = loadConfig({ argv: [], env: {}, cwd: folder });
    expect([...namespaceSettings.keys()]).toEqual(['', 'chat', 'cursor']);
    expect(namespaceSettings.get('cursor')).toMatchObject({ durable: false, maxMessageBytes: 65_536 });
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

describe('links', () => {
  const root = fileURLToPath(new URL('../../', import.meta.url));
  const text = (path: string) => readFileSync(join(root, path), 'utf8');
  const pages = ['README.md', 'client-sdk/README.md', ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)];

  /** What headings can be linked by, as GitHub makes it: one that is there already gets a number. */
  const anchorsOf = (path: string) => {
    const anchors = new Map<string, number>();
    for (const [, heading = ''] of text(path)
      .replaceAll(/^ *```.*?^ *```/gms, '')
      .matchAll(/^#+ (.*)$/gm)) {
      const plain = heading.toLowerCase().replaceAll(/[^\p{L}\p{N}\s_-]/gu, '');
      const anchor = plain.replaceAll(/\s/g, '-');
      const before = anchors.get(anchor) ?? 0;
      anchors.set(anchor, before + 1);
      if (before > 0) anchors.set(`${anchor}-${before}`, 1);
    }
    return anchors;
  };

  it.each(pages.filter((path) => path.endsWith('.md')))('of %s lead to what is there', (path) => {
    const links = [...text(path).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link);
    const broken = links.filter((link) => {
      if (/^https?:/.test(link)) return false;
      const [file = '', anchor] = link.split('#');
      const target = file === '' ? path : join(dirname(path), file);
      return !existsSync(join(root, target)) || (anchor !== undefined && !anchorsOf(target).has(anchor));
    });
    expect(broken).toEqual([]);
  });
});
