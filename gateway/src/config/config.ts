/**
 * The configuration of a gateway: flags, then environment, then file, then defaults.
 * `settings.ts` declares each setting; this file reads what was said and fills in the rest.
 */
import type { z } from 'zod';
import { checkTogether } from './checks.js';
import { type Config, resolveConfig } from './resolve.js';
import { shapeOf } from './schema.js';
import { type Said, SETTINGS } from './settings.js';
import { type ConfigInput, type ConfigProblem, collectSettings, isTree, type Tree } from './sources.js';

export type { Config, Limits, Timings } from './resolve.js';
export type { ConfigInput, ConfigProblem } from './sources.js';

/** Why the gateway does not start: every problem, not only the first. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly ConfigProblem[];
  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map(formatProblem).join('\n'));
    this.problems = problems;
  }
}

/** A problem as one line, such as `port (FANFARE_PORT): expected …`. */
export function formatProblem({ path, source, message }: ConfigProblem): string {
  return `${path}${source && source !== path ? ` (${source})` : ''}: ${message}`;
}

/**
 * Loads the configuration. Apart from reading the file and naming the node it is a pure function.
 * @throws {ConfigError} with all problems.
 */
export function loadConfig(input: ConfigInput): Config {
  const { values: raw, problems, sourceOf } = collectSettings(input);
  const schemas = shapeOf(SETTINGS);
  const values: Tree = {};
  for (const [name, schema] of Object.entries(schemas)) {
    const parsed = schema.safeParse(raw[name]);
    if (parsed.success) {
      values[name] = parsed.data;
      continue;
    }
    const refusals = parsed.error.issues.flatMap(toRefusals);
    problems.push(...refusals.map(({ path, message }) => problem([name, ...path], message, sourceOf)));
    values[name] = schema.safeParse(without(raw[name], refusals)).data;
  }
  for (const name of Object.keys(raw)) {
    if (!Object.hasOwn(schemas, name)) problems.push(problem([name], 'unknown setting', sourceOf));
  }
  const said = values as Said;
  const config = resolveConfig(said, input.env);
  const isRefused = (name: string) => problems.some(({ path }) => path === name || path.startsWith(`${name}.`));
  for (const [path, message] of checkTogether(config, said, isRefused)) {
    problems.push(problem(path.split('.'), message, sourceOf));
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
}

type SourceOf = (path: readonly PropertyKey[]) => string | undefined;

function problem(path: readonly PropertyKey[], message: string, sourceOf: SourceOf): ConfigProblem {
  const source = sourceOf(path);
  return {
    path: path
      .map(String)
      .map((part) => (part === '' ? '""' : part))
      .join('.'),
    message,
    ...(source ? { source } : {}),
  };
}

interface Refusal {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

function toRefusals(issue: z.core.$ZodIssue): Refusal[] {
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => ({ path: [...issue.path, key], message: 'unknown setting' }));
  const message = issue.code === 'invalid_key' ? (issue.issues[0]?.message ?? issue.message) : issue.message;
  return [{ path: issue.path, message }];
}

/** A value without the parts that were refused. These count as not said, so that the rest can be checked together. */
function without(value: unknown, refusals: readonly Refusal[]): unknown {
  const rest: Tree = { value: structuredClone(value) };
  for (const { path } of refusals) {
    const names = ['value', ...path];
    const last = names.pop() as PropertyKey;
    const parent = names.reduce<unknown>((tree, name) => (isTree(tree) ? tree[name as string] : undefined), rest);
    if (isTree(parent)) delete parent[last as string];
  }
  return rest.value;
}
