/** Collects what flags, environment and file say into one object of the file's shape. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type PlacedSetting, placed, variablePrefixes } from './setting.js';
import { SETTINGS } from './settings.js';

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

interface Collected {
  readonly values: Tree;
  readonly problems: ConfigProblem[];
  /** Where the value at a path of {@link Collected.values} came from. */
  sourceOf(path: readonly PropertyKey[]): string | undefined;
}

const PLACED = placed(SETTINGS);
/** Names of variables that only Fanfare uses, so that a misspelt one is reported. */
const OWN_VARIABLE = new RegExp(`^(FANFARE_JWT_|${variablePrefixes(SETTINGS).join('|')})`);
/** Names of variables that Kubernetes sets for services, which may begin like ours. */
const KUBERNETES_VARIABLE = /_(SERVICE|PORT)(_|$)/;

/**
 * Collects the settings. Flags win over the environment, and the environment over the file. Values are not validated
 * here.
 */
export function collectSettings(input: ConfigInput): Collected {
  const problems: ConfigProblem[] = [];
  const flags = readFlags(input.argv, problems);
  const file = readConfigFile(input.cwd, flags.get('config'), problems);
  const sources = new Map<string, string>();
  for (const setting of PLACED) {
    const found = fromFlag(setting, flags) ?? fromEnvironment(setting, input.env);
    if (!found) continue;
    if (assign(file.values, setting.path, setting.type.fromText(found.text)))
      sources.set(setting.path.join('.'), found.source);
  }
  for (const name of Object.keys(input.env)) {
    if (OWN_VARIABLE.test(name) && !KUBERNETES_VARIABLE.test(name) && input.env[name]?.trim() && !isVariable(name)) {
      problems.push({ path: name, message: 'unknown setting', source: 'environment' });
    }
  }
  const sourceOf = (path: readonly PropertyKey[]): string | undefined => {
    for (let length = path.length; length > 0; length--) {
      const source = sources.get(path.slice(0, length).map(String).join('.'));
      if (source !== undefined) return source;
    }
    return has(file.values, path) ? file.name : undefined;
  };
  return { values: file.values, problems, sourceOf };
}

function isVariable(name: string): boolean {
  return PLACED.some((setting) => setting.variables.includes(name));
}

function readFlags(argv: readonly string[], problems: ConfigProblem[]): Map<string, string> {
  const flags = new Map<string, string>();
  const known = new Set(['config', ...PLACED.flatMap(({ flag }) => flag?.slice(2) ?? [])]);
  const options = Object.fromEntries([...known].map((name) => [name, { type: 'string' as const }]));
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, tokens: true, allowPositionals: true });
  for (const token of tokens) {
    if (token.kind === 'positional') problems.push({ path: token.value, message: 'unexpected argument' });
    if (token.kind !== 'option') continue;
    if (!known.has(token.name)) problems.push({ path: token.rawName, message: 'unknown flag' });
    else if (token.value === undefined) problems.push({ path: token.rawName, message: 'needs a value' });
    else flags.set(token.name, token.value.trim());
  }
  return flags;
}

interface Found {
  readonly text: string;
  /** `--port`, `FANFARE_PORT` */
  readonly source: string;
}

function fromFlag({ flag }: PlacedSetting, flags: ReadonlyMap<string, string>): Found | undefined {
  const text = flag && flags.get(flag.slice(2));
  return text === undefined || flag === undefined ? undefined : { text, source: flag };
}

/**
 * Finds a setting in the environment. An empty variable counts as not set. White space around a value is taken off,
 * because secrets that are kept in files end in a line break.
 */
function fromEnvironment({ variables }: PlacedSetting, env: ConfigInput['env']): Found | undefined {
  for (const name of variables) {
    const text = env[name]?.trim();
    if (text) return { text, source: name };
  }
  return undefined;
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
    const values: unknown = JSON.parse(text.replace(/^\uFEFF/, ''));
    if (isTree(values)) return { name, values };
    problems.push({ path: name, message: 'must hold one JSON object' });
  } catch (error) {
    problems.push({ path: name, message: `is not JSON: ${(error as Error).message}` });
  }
  return { name, values: {} };
}

/**
 * Sets the value at a path. Returns `false` if something on the way is no object in the file, which the schema will
 * refuse.
 */
function assign(values: Tree, [first = '', ...rest]: readonly string[], value: unknown): boolean {
  if (rest.length === 0) {
    values[first] = value;
    return true;
  }
  values[first] ??= {};
  const inner = values[first];
  return isTree(inner) && assign(inner, rest, value);
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
