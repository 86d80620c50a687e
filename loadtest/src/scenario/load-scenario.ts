import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createJiti } from 'jiti';
import { isNode, LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { BUILT_IN } from './builtin.js';
import { resolveScenario, type Scenario } from './scenario.js';

/**
 * The scenario is wrong. The message has one line for each problem: file, line and column where they are known, path,
 * and what is wrong.
 */
export class ScenarioError extends Error {
  override readonly name = 'ScenarioError';
}

/**
 * Loads a built-in scenario by its name, or one from a file in YAML (or JSON), TypeScript or JavaScript.
 * @throws {ScenarioError}
 */
export async function loadScenario(name: string): Promise<Scenario> {
  if (Object.hasOwn(BUILT_IN, name)) return resolveScenario(BUILT_IN[name]);
  if (!existsSync(name)) {
    throw new ScenarioError(`no scenario ${name}: neither a file nor one of ${Object.keys(BUILT_IN).join(', ')}`);
  }
  if (/\.(ya?ml|json)$/.test(name)) return fromYaml(name);
  if (/\.[cm]?[jt]s$/.test(name)) return fromModule(name);
  throw new ScenarioError(`${name}: scenarios end in .yaml, .yml, .json, .ts, .mts, .js or .mjs`);
}

function fromYaml(file: string): Scenario {
  const lineCounter = new LineCounter();
  const document = parseDocument(readFileSync(file, 'utf8'), { lineCounter });
  const place = (offset: number) => {
    const { line, col } = lineCounter.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  if (document.errors.length > 0) {
    const lines = document.errors.map(({ pos, message }) => `${place(pos[0])} ${message.split('\n')[0]}`);
    throw new ScenarioError(lines.join('\n'));
  }
  /** The place of the value at this path; if it is missing, the place of what it is missing from. */
  const offsetOf = (where: readonly PropertyKey[]): number => {
    for (let length = where.length; length > 0; length--) {
      const node = document.getIn(where.slice(0, length), true);
      if (isNode(node) && node.range) return node.range[0];
    }
    return isNode(document.contents) && document.contents.range ? document.contents.range[0] : 0;
  };
  return checked(document.toJS(), (where) => place(offsetOf(where)));
}

async function fromModule(file: string): Promise<Scenario> {
  let loaded: unknown;
  try {
    // A scenario may stand where this package is not installed.
    const alias = { '@fanfare/loadtest': fileURLToPath(new URL('../index.js', import.meta.url)) };
    loaded = await createJiti(import.meta.url, { alias }).import(path.resolve(file), { default: true });
  } catch (error) {
    throw new ScenarioError(`${file}: ${(error as Error).message}`);
  }
  return checked(loaded, () => file);
}

function checked(input: unknown, place: (where: readonly PropertyKey[]) => string): Scenario {
  try {
    return resolveScenario(input);
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw error;
    const lines = error.issues.flatMap((issue) => {
      const unknown = issue.code === 'unrecognized_keys' ? issue.keys : [undefined];
      return unknown.map((key) => {
        const where = key === undefined ? issue.path : [...issue.path, key];
        const message = key === undefined ? issue.message : 'is not known here';
        return `${place(where)} ${where.join('.') || '(top)'}: ${message}`;
      });
    });
    throw new ScenarioError(lines.join('\n'));
  }
}
