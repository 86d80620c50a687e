/** What is made from a table of settings: the schema of what may be said, and the values with defaults filled in. */
import { z } from 'zod';
import { isSetting, type SaidOf, type Setting, type Table, type ValuesOf } from './setting.js';

/** The schema of an object of the table's shape, in which everything may be missing and nothing else may be. */
export function tableSchema<T extends Table>(table: T): z.ZodType<SaidOf<T>> {
  return z.strictObject(shapeOf(table), { error: 'expected an object' }) as unknown as z.ZodType<SaidOf<T>>;
}

/** The schema of each name in a table. */
export function shapeOf(table: Table): Record<string, z.ZodType> {
  const schemaOf = (entry: Setting | Table) => (isSetting(entry) ? entry.type.schema : tableSchema(entry));
  return Object.fromEntries(Object.entries(table).map(([name, entry]) => [name, schemaOf(entry).optional()]));
}

/**
 * What was said, with the defaults of the mode for the rest. A setting that is derived and was not said stays
 * `undefined`.
 */
export function fillIn<T extends Table>(
  table: T,
  said: SaidOf<T> | undefined,
  mode: 'development' | 'production',
): ValuesOf<T> {
  const asked = (said ?? {}) as Record<string, unknown>;
  const values = Object.entries(table).map(([name, entry]) => {
    if (!isSetting(entry)) return [name, fillIn(entry, asked[name] as SaidOf<typeof entry> | undefined, mode)];
    const byDefault = 'derived' in entry.fallback ? undefined : entry.fallback[mode];
    const value = asked[name] ?? byDefault;
    return [name, value === 0 && entry.type.off !== undefined ? entry.type.off : value];
  });
  return Object.fromEntries(values) as ValuesOf<T>;
}
