/** The code of docs/SDK.md, compiled as one strict application against what the SDK ships. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

it('the blocks of docs/SDK.md compile', async () => {
  const guide = readFileSync(at('../../docs/SDK.md'), 'utf8');
  const blocks = [...guide.matchAll(/```tsx?\n\/\/ (\S+)\n(.*?)```/gs)];
  expect(blocks).toHaveLength(guide.match(/```tsx?\n/g)?.length ?? 0);
  // Within the package, so that its own name and React are found.
  mkdirSync(at('../node_modules/.cache'), { recursive: true });
  const folder = mkdtempSync(at('../node_modules/.cache/guide-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [, name = '', code = ''] of blocks) writeFileSync(join(folder, name), code);
  const compilerOptions = {
    target: 'ES2022',
    lib: ['ES2023', 'DOM', 'DOM.Iterable'],
    module: 'NodeNext',
    moduleResolution: 'NodeNext',
    jsx: 'react-jsx',
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
  };
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts', '*.tsx'] }));
  expect(await compile(folder)).toBe('');
});

it('examples/react-chat compiles', async () => {
  expect(await compile(at('../../examples/react-chat'))).toBe('');
});

/** What the compiler has to say of a project. */
function compile(folder: string): Promise<string> {
  const tsc = [at('../../node_modules/typescript/bin/tsc'), '-p', folder, '--pretty', 'false'];
  return new Promise((resolve) => {
    execFile(process.execPath, tsc, { cwd: folder }, (_, stdout, stderr) => resolve(stdout + stderr));
  });
}
