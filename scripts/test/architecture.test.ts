/** A newcomer finds every folder and every place that docs/ARCHITECTURE.md names. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const page = readFileSync(`${root}/docs/ARCHITECTURE.md`, 'utf8');
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
}).split('\n');

it('has a paragraph for every folder of the gateway, and for each in which Redis is spoken', () => {
  const folders = new Set(files.flatMap((file) => /^gateway\/src\/([^/]+\/)/.exec(file)?.[1] ?? []));
  const redis = new Set(
    files.flatMap((file) => /^gateway\/src\/((?:broker\/)?redis\/(?:[^/]+\/)?)/.exec(file)?.[1] ?? []),
  );
  const missing = [...folders, ...redis].filter((folder) => !page.includes(`**\`gateway/src/${folder}\`**`));
  expect(missing).toEqual([]);
});

it('names no place that is not there, but for new folders', () => {
  const places = page
    .split('\n')
    .flatMap((line) => [...line.replace(/new folder `[^`]+`/g, '').matchAll(/`([\w./-]+(?:\.(?:ts|cjs|mjs|md)|\/))`/g)])
    .map(([, place]) => place as string)
    .filter((place) => place !== '/' && place !== 'dist/');
  expect(places.length).toBeGreaterThan(80);
  const paths = files.map((file) => `/${file}`);
  const isThere = (place: string) =>
    paths.some((file) => (place.endsWith('/') ? file.includes(`/${place}`) : file.endsWith(`/${place}`)));
  expect(places.filter((place) => !isThere(place.replace(/^\//, '')))).toEqual([]);
});
