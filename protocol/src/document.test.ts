import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { MAX_CHANNEL_BYTES } from './channel-name.js';
import { CLOSE_CODES, ERROR_CODES, RESET_REASONS } from './codes.js';
import { COMPACT_SUBPROTOCOL } from './dialects/compact.js';
import { JSON_SUBPROTOCOL, jsonDialect } from './dialects/json.js';
import { MSGPACK_SUBPROTOCOL } from './dialects/msgpack.js';
import { MAX_DEPTH } from './payload.js';
import {
  CLIENT_FRAMES,
  type FrameShape,
  MAX_EPOCH_LENGTH,
  MAX_HISTORY_LIMIT,
  MAX_KEY_BYTES,
  MAX_TAGS,
  MAX_TAGS_BYTES,
  parseClientFrame,
  parseServerFrame,
  SERVER_FRAMES,
} from './validate.js';

/** docs/PROTOCOL.md, cut at its headings. */
const document = readFileSync(new URL('../../docs/PROTOCOL.md', import.meta.url), 'utf8');

/** The text under a heading, up to the next one of its level or above. */
function section(text: string, heading: string): string {
  const level = /^#+/.exec(heading)?.[0].length;
  const start = text.indexOf(`\n${heading}\n`);
  if (start < 0) throw new Error(`no heading ${heading}`);
  const body = text.slice(start + heading.length + 2);
  const end = body.search(new RegExp(`^#{1,${level}} `, 'm'));
  return end < 0 ? body : body.slice(0, end);
}

/** The rows of the first table, without its head, as cells without backticks. */
function rows(text: string): string[][] {
  const lines = text.split('\n');
  const head = lines.findIndex((line) => line.startsWith('| ---'));
  const body = lines.slice(head + 1);
  const end = body.findIndex((line) => !line.startsWith('|'));
  return body.slice(0, end < 0 ? undefined : end).map((line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim().replace(/^`([^`]*)`$/, '$1')),
  );
}

function headings(text: string): string[] {
  return [...text.matchAll(/^### (.*)$/gm)].map((match) => match[1] as string);
}

const yesNo = (value: boolean) => (value ? 'yes' : 'no');

const sides = [
  ['client', section(document, '## Frames from client to gateway'), CLIENT_FRAMES as Record<string, FrameShape>],
  ['gateway', section(document, '## Frames from gateway to client'), SERVER_FRAMES as Record<string, FrameShape>],
] as const;

describe('docs/PROTOCOL.md', () => {
  it.each(sides)('has a section for each frame of a %s', (_, text, frames) => {
    expect(headings(text).sort()).toEqual(Object.keys(frames).sort());
  });

  it.each(
    sides.flatMap(([side, text, frames]) => Object.keys(frames).map((type) => [side, type, text, frames] as const)),
  )('tells the fields of the %s’s %s as they are checked, with an example', (side, type, text, frames) => {
    const frame = section(text, `### ${type}`);
    const shape = frames[type] as FrameShape & { readonly atMostOne?: readonly string[] };
    const documented = rows(frame).map(([field, required, mustBe]) => [field, required, mustBe]);
    const checked = [
      ...Object.entries(shape.required).map(([field, rule]) => [field, 'yes', rule.is]),
      ...Object.entries(shape.optional).map(([field, rule]) => [field, 'no', rule.is]),
      ...(side === 'client' && type === 'publish' ? [['data', 'yes', 'any value']] : []),
    ];
    expect(documented.sort()).toEqual(checked.sort());
    const example = jsonDialect.decode(/```json\n(.*)\n```/.exec(frame)?.[1] as string);
    expect(example.type).toBe(type);
    const parsed = side === 'client' ? parseClientFrame(example, 'data' in example) : parseServerFrame(example);
    expect(parsed?.ok).toBe(true);
    if (shape.atMostOne) expect(frame).toContain(`At most one of ${shape.atMostOne.map((f) => `\`${f}\``).join(', ')}`);
  });

  it('has the error codes', () => {
    expect(rows(section(document, '### Error codes'))).toEqual(
      Object.entries(ERROR_CODES).map(([code, { retryable, httpStatus, meaning }]) => [
        code,
        yesNo(retryable),
        String(httpStatus),
        meaning,
      ]),
    );
  });

  it('has the reasons', () => {
    expect(rows(section(document, '### Reasons'))).toEqual(Object.entries(RESET_REASONS));
  });

  it('has the close codes', () => {
    expect(rows(section(document, '### Close codes'))).toEqual(
      Object.entries(CLOSE_CODES).map(([code, { name, reconnect, meaning }]) => [
        code,
        name,
        yesNo(reconnect),
        meaning,
      ]),
    );
  });

  it('has the limits', () => {
    expect(rows(section(document, '## Limits')).map(([, limit]) => limit)).toEqual([
      `${MAX_CHANNEL_BYTES} bytes`,
      `${MAX_DEPTH} levels`,
      `${MAX_KEY_BYTES} bytes`,
      `${MAX_TAGS} entries`,
      `${MAX_TAGS_BYTES} bytes`,
      `${MAX_EPOCH_LENGTH} characters`,
      `${MAX_HISTORY_LIMIT} messages`,
    ]);
  });

  it('has the subprotocols', () => {
    expect(rows(section(document, '## Connection')).map(([name]) => name)).toEqual([
      JSON_SUBPROTOCOL,
      COMPACT_SUBPROTOCOL,
      MSGPACK_SUBPROTOCOL,
    ]);
  });

  it('links to headings that exist', () => {
    const anchors = new Set<string>();
    for (const [, heading] of document.matchAll(/^#+ (.*)$/gm)) {
      const anchor = (heading as string)
        .toLowerCase()
        .replace(/[^a-z0-9 -]/g, '')
        .replaceAll(' ', '-');
      anchors.add(anchors.has(anchor) ? `${anchor}-1` : anchor);
    }
    const links = [...document.matchAll(/\]\(#([^)]+)\)/g)].map((match) => match[1] as string);
    expect(links.filter((link) => !anchors.has(link))).toEqual([]);
  });
});
