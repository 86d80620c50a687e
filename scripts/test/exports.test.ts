import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { unusedExports } from '../exports.mjs';

function unusedIn(files: Readonly<Record<string, string>>): string[] {
  const root = mkdtempSync(path.join(tmpdir(), 'fanfare-exports-'));
  try {
    for (const [file, text] of Object.entries(files)) {
      mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
      writeFileSync(path.join(root, file), text);
    }
    return unusedExports(root);
  } finally {
    rmSync(root, { recursive: true });
  }
}

const PARTS =
  'export const used = 1;\nexport interface Handed {}\nexport const lonely = used;\nexport type Odd = number;\n';

it('npm run check sees an export that nobody imports', () => {
  const user = `import { used, type Handed } from './parts.js';\nvoid used;\ndeclare const one: Handed;\n`;
  expect(unusedIn({ 'gateway/src/parts.ts': PARTS, 'gateway/src/user.ts': user })).toEqual([
    'gateway/src/parts.ts:3: nobody imports lonely: do not export it',
    'gateway/src/parts.ts:4: nobody imports Odd: do not export it',
  ]);
});

it('npm run check sees what only tests use, and lets tests look into what is used', () => {
  const parts = 'export const LIMIT = 3;\nexport const isMany = (n: number) => n > LIMIT;\nexport const spare = 1;\n';
  const test = `import { LIMIT, spare } from './parts.js';\nvoid [LIMIT, spare];\n`;
  const user = `import { isMany } from './parts.js';\nvoid isMany(1);\n`;
  expect(
    unusedIn({ 'gateway/src/parts.ts': parts, 'gateway/src/parts.test.ts': test, 'gateway/src/user.ts': user }),
  ).toEqual(['gateway/src/parts.ts:3: only tests use spare']);
});

it.each([
  ['all of a module', `export * from './parts.js';\n`],
  ['a module at run time', `void import('./parts.js');\n`],
  ['a namespace', `import * as parts from './parts.js';\nvoid parts;\n`],
])('who imports %s uses all that it exports', (_, user) => {
  expect(unusedIn({ 'gateway/src/parts.ts': PARTS, 'gateway/src/user.ts': user })).toEqual([]);
});

it('what an entry of a package exports is for others, and so is what a program of the package names', () => {
  expect(
    unusedIn({
      'gateway/package.json': '{"exports":{".":{"types":"./dist/parts.d.ts","default":"./dist/parts.js"}}}',
      'gateway/src/parts.ts': PARTS,
      'gateway/src/tool.ts': 'export const run = () => {};\n',
      'gateway/bin/tool.mjs': `import { run } from '../dist/tool.js';\nrun();\n`,
    }),
  ).toEqual([]);
});
