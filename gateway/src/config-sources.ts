/** Collects what flags, environment and file say into one object of the file's shape. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { SETTINGS, type Setting } from './config-settings.js';

export const CONFIG_FILE = 'fanfare.config.json';

export interface ConfigInput {
  /** Flags, without the command: `['--port', '0']`. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where `fanfare.config.json` is looked for, and what `--config` is relative to. */
  readonly cwd: string;
}

export interface ConfigProblem {
  /** The setting as in the file: `namespaces.chat.history.ttl`. */
  readonly path: string;
  readonly message: string;
  /** Where the value came from: `--port`, `FANFARE_PORT`, `fanfare.config.json`. */
  readonly source?: string;
}

/** A tree of the file's shape. */
export type Tree = Record<string, unknown>;

export interface Collected {
  readonly values: Tree;
  readonly problems: ConfigProblem[];
  /** Where the value at a path of {@link Collected.values} came from. */
  sourceOf(path: readonly PropertyKey[]): string | undefined;
}

/** Flags win over the environment, the environment over the file. Values are not validated here. */
export function collectSettings(input: ConfigInput): Collected {
  const problems: ConfigProblem[] = [];
  const flags = readFlags(input.argv, problems);
  const file = readConfigFile(input.cwd, flags.get('config'), problems);
  const sources = new Map<string, string>();
  for (const setting of SETTINGS) {
    const found = fromFlag(setting, flags) ?? fromEnvironment(setting, input.env);
    if (!found) continue;
    if (assign(file.values, setting.path, convert(setting, found.text))) sources.set(setting.path, found.source);
  }
  for (const name of Object.keys(input.env)) {
    if (/^FANFARE_(LIMIT|JWT)_/.test(name) && input.env[name] && !isVariable(name)) {
      problems.push({ path: name, message: 'unknown setting', source: 'environment' });
    }
  }
  const sourceOf = (path: readonly PropertyKey[]): string | undefined =>
    sources.get(path.slice(0, 2).join('.')) ??
    sources.get(String(path[0])) ??
    (has(file.values, path) ? file.name : undefined);
  return { values: file.values, problems, sourceOf };
}

function isVariable(name: string): boolean {
  return SETTINGS.some((setting) => setting.variables.includes(name));
}

function readFlags(argv: readonly string[], problems: ConfigProblem[]): Map<string, string> {
  const flags = new Map<string, string>();
  const known = new Set(['config', ...SETTINGS.map((setting) => setting.flag.slice(2))]);
  const options = Object.fromEntries([...known].map((name) => [name, { type: 'string' as const }]));
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, tokens: true, allowPositionals: true });
  for (const token of tokens) {
    if (token.kind === 'positional') problems.push({ path: token.value, message: 'unexpected argument' });
    if (token.kind !== 'option') continue;
    if (!known.has(token.name)) problems.push({ path: token.rawName, message: 'unknown flag' });
    else if (token.value === undefined) problems.push({ path: token.rawName, message: 'needs a value' });
    else flags.set(token.name, token.value);
  }
  return flags;
}

function fromFlag({ flag }: Setting, flags: ReadonlyMap<string, string>): { text: string; source: string } | undefined {
  const text = flags.get(flag.slice(2));
  return text === undefined ? undefined : { text, source: flag };
}

/** An empty variable counts as not set. */
function fromEnvironment(
  { variables }: Setting,
  env: ConfigInput['env'],
): { text: string; source: string } | undefined {
  for (const name of variables) {
    const text = env[name];
    if (text) return { text, source: name };
  }
  return undefined;
}

/** What cannot be converted stays text: the schema then says what it wants. */
function convert({ kind }: Setting, text: string): unknown {
  if (kind === 'list')
    return text
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '');
  return kind === 'integer' && /^-?\d{1,16}$/.test(text) ? Number(text) : text;
}

function readConfigFile(
  cwd: string,
  asked: string | undefined,
  problems: ConfigProblem[],
): { name: string; values: Tree } {
  const name = asked ?? CONFIG_FILE;
  let text: string;
  try {
    text = readFileSync(resolve(cwd, name), 'utf8');
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    if (asked !== undefined || !missing)
      problems.push({ path: name, message: missing ? 'no such file' : String(error) });
    return { name, values: {} };
  }
  try {
    const values: unknown = JSON.parse(text);
    if (isTree(values)) return { name, values };
    problems.push({ path: name, message: 'must hold one JSON object' });
  } catch (error) {
    problems.push({ path: name, message: `is not JSON: ${(error as Error).message}` });
  }
  return { name, values: {} };
}

/** False if the file holds something else than an object on the way, which the schema will refuse. */
function assign(values: Tree, path: string, value: unknown): boolean {
  const [first = '', second] = path.split('.');
  if (second === undefined) {
    values[first] = value;
    return true;
  }
  values[first] ??= {};
  const parent = values[first];
  if (!isTree(parent)) return false;
  parent[second] = value;
  return true;
}

/** Whether the file says anything at this path, or above it something that is no object. */
function has(values: unknown, path: readonly PropertyKey[]): boolean {
  const [first, ...rest] = path;
  if (first === undefined || typeof values !== 'object' || values === null) return values !== undefined;
  return Object.hasOwn(values, first) && has((values as Record<PropertyKey, unknown>)[first], rest);
}

export function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
