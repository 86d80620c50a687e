import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const here = fileURLToPath(new URL('.', import.meta.url));

describe('the package', () => {
  it('holds its licence', () => {
    const packed = execFileSync('npm', ['pack', '--dry-run', '--json'], { cwd: `${here}/..`, encoding: 'utf8' });
    expect(packed).toContain('"LICENSE"');
  });

  it.each([
    ['', ts.ModuleResolutionKind.Node10],
    ['/msgpack', ts.ModuleResolutionKind.Node10],
    ['/testing', ts.ModuleResolutionKind.Node10],
    ['/testing', ts.ModuleResolutionKind.Bundler],
  ])('has types for @fanfare/client%s by module resolution %i', (path, moduleResolution) => {
    const { resolvedModule } = ts.resolveModuleName(
      `@fanfare/client${path}`,
      `${here}/app.ts`,
      { moduleResolution },
      ts.sys,
    );
    expect(resolvedModule?.resolvedFileName).toMatch(/dist\/.*\.d\.ts$/);
  });
});
