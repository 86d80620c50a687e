/** The code of the guide and of the README, compiled as one strict application each against what the SDK ships. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** What the blocks leave to the application that they stand in. */
const APPLICATION = `
  type Chat = { readonly text: string };
  declare function fetchToken(): Promise<string>;
  declare function fetchTokenFor(channel: string): Promise<string>;
  declare function report(error: Error): void;
  declare function show(text: string): void;
  declare function reloadEverything(): void;
  declare function handle(job: unknown): Promise<void>;
  declare function startChat(client: import('@fanfare/client').Client<typeof import('./channels.js').channels>): void;
  declare function createChatList(client: Parameters<typeof startChat>[0]): { readonly items: readonly unknown[] };
  declare function expect(value: unknown): { toEqual(other: unknown): void };`;

it.each(['docs/SDK.md', 'client-sdk/README.md'])('the blocks of %s compile', async (page) => {
  const guide = readFileSync(at(`../../${page}`), 'utf8');
  const blocks = [...guide.matchAll(/```tsx?\n\/\/ (\S+)\n(.*?)```/gs)];
  expect(blocks).toHaveLength(guide.match(/```tsx?\n/g)?.length ?? 0);
  // Within the package, so that its own name and React are found.
  mkdirSync(at('../node_modules/.cache'), { recursive: true });
  const folder = mkdtempSync(at('../node_modules/.cache/guide-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [, name = '', code = ''] of blocks) writeFileSync(join(folder, name), code);
  writeFileSync(join(folder, 'application.d.ts'), APPLICATION);
  // As `tsc --init` has them.
  const compilerOptions = {
    target: 'ES2022',
    lib: ['ES2023', 'DOM', 'DOM.Iterable'],
    module: 'NodeNext',
    jsx: 'react-jsx',
    strict: true,
    declaration: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    verbatimModuleSyntax: true,
    isolatedModules: true,
    noEmit: true,
    skipLibCheck: true,
    types: ['node'],
    typeRoots: [at('../../node_modules/@types')],
  };
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts', '*.tsx'] }));
  expect(await compile(folder)).toBe('');
});

it('examples/react-chat compiles', async () => {
  expect(await compile(at('../../examples/react-chat'))).toBe('');
});

it('every name that the SDK exports has a docstring, and its links lead somewhere', async () => {
  const args = ['--options', at('../typedoc.json'), '--emit', 'none'];
  const [code, printed] = await run([at('../../node_modules/typedoc/bin/typedoc'), ...args], at('..'));
  expect([code, code === 0 ? '' : printed]).toEqual([0, '']);
});

/** What the compiler has to say of a project. */
async function compile(folder: string): Promise<string> {
  const tsc = at('../../node_modules/typescript/bin/tsc');
  const [, printed] = await run([tsc, '-p', folder, '--pretty', 'false'], folder);
  return printed;
}

function run(args: readonly string[], cwd: string): Promise<[code: number | null, printed: string]> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, args, { cwd }, (_, stdout, stderr) =>
      resolve([child.exitCode, stdout + stderr]),
    );
  });
}
