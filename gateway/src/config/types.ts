/** The kinds of values that settings have, with a constructor for each. The tables of settings use them. */
import { z } from 'zod';

/** Values of one kind: as the file holds them, and as a flag or variable spells them. */
export interface ValueType<Value> {
  /** Checks what the file holds and turns it into the value. */
  readonly schema: z.ZodType<Value>;
  /**
   * Turns the text of a flag or variable into what the file would hold. A text that cannot be converted stays as it is,
   * and is refused by the schema.
   */
  readonly fromText: (text: string) => unknown;
  /** The unit for the documentation, such as `ms` or `bytes`. Absent if the value speaks for itself. */
  readonly unit?: string;
  /** What 0 stands for: "no limit", as the value that the code compares with. Absent: 0 is 0. */
  readonly off?: Value;
}

/** The longest timer that Node takes, in ms (`setTimeout`, Node documentation): about 24 days. */
const MAX_TIMER_MS = 2 ** 31 - 1;

const asIs = (text: string): unknown => text;
const toInteger = (text: string): unknown => (/^-?\d{1,16}$/.test(text) ? Number(text) : text);

/** A whole number. */
export function integer(min: number, max: number, unit?: string): ValueType<number> {
  const error = `expected an integer from ${min} to ${max}`;
  const schema = z.number({ error }).int({ error }).min(min, { error }).max(max, { error });
  return { schema, fromText: toInteger, ...(unit && { unit }) };
}

/**
 * A limit as a whole number. 0 turns it off; the value is then `off`, which is `Infinity` or the highest that is
 * possible.
 */
export function limit(max: number, options: { readonly unit?: string; readonly off?: number } = {}): ValueType<number> {
  return { ...integer(0, max, options.unit), off: options.off ?? Number.POSITIVE_INFINITY };
}

/** A length of time in ms, written as {@link parseDuration} reads it. */
export function duration(minMs: number, maxMs: number): ValueType<number> {
  const wanted = `expected a duration like "500ms", "90s", "15m", "24h", "7d" or a number of ms, from ${minMs} to ${maxMs} ms`;
  const schema = z.union([z.string(), z.number()], { error: wanted }).transform((value, context) => {
    const ms = parseDuration(value);
    if (ms !== undefined && ms >= minMs && ms <= maxMs) return ms;
    context.addIssue({ code: 'custom', message: wanted });
    return z.NEVER;
  });
  return { schema, fromText: asIs, unit: 'ms' };
}

/** A limit as a length of time. 0 turns it off; the value is then the longest timer that there is. */
export function timeLimit(): ValueType<number> {
  return { ...duration(0, MAX_TIMER_MS), off: MAX_TIMER_MS };
}

/** One of some words. */
export function oneOf<const Words extends readonly [string, ...string[]]>(...words: Words): ValueType<Words[number]> {
  return { schema: z.enum(words, { error: `expected one of ${words.join(', ')}` }), fromText: asIs };
}

/** `true` or `false`; as text also `1`, `0`, `yes`, `no`, `on`, `off`. */
export function toggle(): ValueType<boolean> {
  const words: Readonly<Record<string, boolean>> = { true: true, 1: true, yes: true, on: true, false: false, 0: false };
  const fromText = (text: string) => ({ ...words, no: false, off: false })[text.toLowerCase()] ?? text;
  return { schema: z.boolean({ error: 'expected true or false' }), fromText };
}

/**
 * Text.
 * @param expected what is wanted, for messages, such as `a host name or address`
 * @param accepts a pattern, or a function that throws with the reason; default: any text that is not empty
 */
export function text(expected: string, accepts: RegExp | ((value: string) => void) = /./s): ValueType<string> {
  const message = `expected ${expected}`;
  const schema = z.string({ error: message }).superRefine((value, context) => {
    const why = accepts instanceof RegExp ? (accepts.test(value) ? undefined : message) : reasonOf(accepts, value);
    if (why !== undefined) context.addIssue({ code: 'custom', message: why });
  });
  return { schema, fromText: asIs };
}

function reasonOf(check: (value: string) => void, value: string): string | undefined {
  try {
    check(value);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** A JSON array in the file, items with commas between them elsewhere; spaces around items and empty items do not count. */
export function list<Item>(item: ValueType<Item>, ofWhat: string): ValueType<readonly Item[]> {
  const schema = z.array(item.schema, { error: `expected a list of ${ofWhat}` });
  const items = (value: string) => value.split(',').map((one) => one.trim());
  return {
    schema,
    fromText: (value) =>
      items(value)
        .filter((one) => one !== '')
        .map((one) => item.fromText(one)),
  };
}

const UNIT_MS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * Reads a duration: `500ms`, `90s`, `15m`, `24h`, `7d`, or ms as a number or as digits. `undefined` if it is none of
 * these.
 */
export function parseDuration(value: string | number): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) && value >= 0 ? Math.round(value) : undefined;
  const match = /^(\d{1,15}(?:\.\d{1,6})?)(ms|s|m|h|d)?$/.exec(value.trim());
  return match ? Math.round(Number(match[1]) * (UNIT_MS[match[2] ?? 'ms'] as number)) : undefined;
}

/** Writes a duration as {@link parseDuration} reads it, in the largest unit that divides it: `90s`, `1m`, `1d`. */
export function formatDuration(ms: number): string {
  const unit = Object.keys(UNIT_MS).findLast((name) => ms > 0 && ms % (UNIT_MS[name] as number) === 0) ?? 'ms';
  return `${ms / (UNIT_MS[unit] as number)}${unit}`;
}
