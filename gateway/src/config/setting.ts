/** What a setting is, and what follows from its place in a table: its path, names and types. */
import type { ValueType } from './types.js';

/**
 * One setting, declared once. Its path in the file is its place in the table; flag and variables follow from that.
 * `Value` is what the code gets: `undefined` is part of it where there is no default.
 */
export interface Setting<Value = unknown> {
  readonly type: ValueType<NonNullable<Value>>;
  readonly fallback: Fallback<Value>;
  /** One sentence for `--help` and docs/CONFIGURATION.md; Markdown code marks are taken out for `--help`. */
  readonly about: string;
  /** Further names of environment variables. They are looked up after the one that follows from the path. */
  readonly also: readonly string[];
  /** Whether the setting can be given in the file only, without flag and variable. */
  readonly isInFileOnly: boolean;
  /** Turns the value into what `fanfare config` prints. Absent: the value itself is printed. */
  show?(value: NonNullable<Value>): unknown;
}

/** The value of a setting that was not given. */
type Fallback<Value> =
  | { readonly development: Value; readonly production: Value }
  /** The value is derived by `resolve.ts`. The text says how, for the documentation. */
  | { readonly derived: string };

interface Options<Value> {
  readonly also?: readonly string[];
  readonly isInFileOnly?: boolean;
  show?(value: Value): unknown;
}

/** Declares a setting. With `default`, `perMode` or neither: then it is `undefined` until it is given. */
export function setting<Value extends NonNullable<unknown>>(
  type: ValueType<Value>,
  about: string,
  options: Options<NoInfer<Value>> &
    ({ readonly default: NoInfer<Value> } | { readonly perMode: readonly [NoInfer<Value>, NoInfer<Value>] }),
): Setting<Value>;
export function setting<Value extends NonNullable<unknown>>(
  type: ValueType<Value>,
  about: string,
  options?: Options<NoInfer<Value>> & { readonly derived?: string },
): Setting<Value | undefined>;
export function setting<Value extends NonNullable<unknown>>(
  type: ValueType<Value>,
  about: string,
  options: Options<Value> & {
    /** The value in both modes. */
    readonly default?: Value;
    /** The value in development, and that in production. */
    readonly perMode?: readonly [Value, Value];
    /** Says in words from what `resolve.ts` derives the value. */
    readonly derived?: string;
  } = {},
): Setting<Value | undefined> {
  const { default: both, perMode = [both, both], derived, also = [], isInFileOnly = false, show } = options;
  const [development, production] = perMode;
  const fallback = derived ? { derived } : { development, production };
  return { type, about, fallback, also, isInFileOnly, ...(show && { show }) };
}

/** A table of settings. Tables in it are objects of the file: `limits` holds `subscriptions`. */
export interface Table {
  readonly [name: string]: Setting | Table;
}

/** The values of a table, in its shape. */
export type ValuesOf<T> = {
  readonly [Name in keyof T]: T[Name] extends Setting<infer Value> ? Value : ValuesOf<T[Name]>;
};

/** What was said for a table, of which anything may be missing. */
export type SaidOf<T> = {
  readonly [Name in keyof T]?: T[Name] extends Setting<infer Value> ? Value | undefined : SaidOf<T[Name]>;
};

/** A setting with its place. */
export interface PlacedSetting extends Setting {
  /** Path in the file: `['limits', 'subscriptions']`. */
  readonly path: readonly string[];
  /** Names of environment variables. The first one that is set wins. */
  readonly variables: readonly string[];
  /** The flag, such as `--limit-subscriptions`; `undefined` if the setting can be given in the file only. */
  readonly flag: string | undefined;
}

/** Every setting of a table, in its order. */
export function placed(table: Table, above: readonly string[] = []): readonly PlacedSetting[] {
  return Object.entries(table).flatMap(([name, entry]) => {
    const path = [...above, name];
    if (!isSetting(entry)) return placed(entry, path);
    if (entry.isInFileOnly) return [{ ...entry, path, variables: [], flag: undefined }];
    const words = wordsOf(path);
    const variables = [`FANFARE_${words.join('_').toUpperCase()}`, ...entry.also];
    return [{ ...entry, path, variables, flag: `--${words.join('-').toLowerCase()}` }];
  });
}

/** What the names of variables of a table's groups begin with: `FANFARE_LIMIT_`. */
export function variablePrefixes(table: Table): readonly string[] {
  const groups = Object.entries(table).filter(([, entry]) => !isSetting(entry));
  return groups.map(([name]) => `FANFARE_${wordsOf([name]).join('_').toUpperCase()}_`);
}

export function isSetting(entry: Setting | Table): entry is Setting {
  return typeof entry.about === 'string';
}

/**
 * The words of a path for flags and variables: the group `limits` is called `limit` there, as in
 * `FANFARE_LIMIT_LAG_MS`.
 */
function wordsOf([first = '', ...rest]: readonly string[]): readonly string[] {
  const path = [first === 'limits' ? 'limit' : first, ...rest];
  return path
    .join('.')
    .replace(/[A-Z]/g, (letter) => `.${letter}`)
    .split('.');
}
