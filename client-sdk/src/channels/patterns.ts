/**
 * Channel names and patterns, at the type level. A pattern is a prefix and one `*` at its end, as in the
 * gateway's tokens. An exact name wins over every pattern, a longer prefix over a shorter one.
 */

/** Every name that a key stands for: `chat:*` -> `chat:${string}`. */
export type NameOf<Key extends string> = Key extends `${infer Prefix}*` ? `${Prefix}${string}` : Key;

/** Every name that compiles. TypeScript prints it in its error, so it should read like documentation. */
export type ChannelName<Map> = NameOf<keyof Map & string>;

/** The key whose declaration holds for `Name`. For a computed name (`chat:${id}`) it is every key that may hold. */
export type KeyOf<Map, Name extends string> = Name extends unknown
  ? IsLiteral<Name> extends true
    ? Name extends keyof Map
      ? Name
      : LongestPattern<keyof Map, Name>
    : LongestPattern<keyof Map, LiteralHead<Name>> | NarrowerKeys<Map, Name, MayBegin<Name>>
  : never;

/**
 * The longest of the patterns that a text begins with. It looks each beginning of the text up among the keys, because a
 * map may have hundreds of keys, and a text has few letters. It calls itself in tail position, where the compiler
 * allows 1,000 levels.
 */
type LongestPattern<
  Keys,
  Rest extends string,
  Head extends string = '',
  Best = Keys & '*',
> = Rest extends `${infer First}${infer Others}`
  ? `${Head}${First}*` extends Keys
    ? LongestPattern<Keys, Others, `${Head}${First}`, `${Head}${First}*`>
    : LongestPattern<Keys, Others, `${Head}${First}`, Best>
  : Best;

/** The keys that hold for some of the names that a computed `Name` stands for. Such patterns begin with `Begin`. */
type NarrowerKeys<Map, Name extends string, Begin extends string> = keyof Map extends infer Key
  ? Key extends `${infer Prefix}*`
    ? Prefix extends Begin
      ? Key
      : never
    : Key extends Name
      ? Key
      : never
  : never;

/** What a key must look like for a computed `Name` to begin with it: after `chat:${number}` no letter comes. */
type MayBegin<Name extends string> = Name extends `${LiteralHead<Name>}${number}${string}`
  ? `${LiteralHead<Name>}${number}${string}`
  : `${LiteralHead<Name>}${string}`;

/** The text that a template begins with for certain: `chat:${string}:x` -> `chat:`. */
type LiteralHead<Name extends string, Head extends string = ''> = Name extends `${infer First}${infer Rest}`
  ? IsLiteral<First> extends true
    ? LiteralHead<Rest, `${Head}${First}`>
    : Head
  : Head;

/** Whether a name is known in full. It is false for `string`, and for templates with a hole. */
type IsLiteral<Name extends string> = Record<never, never> extends Record<Name, 1> ? false : true;

/** Returns the key that holds for a name, by the same rule at run time, or `undefined` if none fits. */
export function keyOf(keys: readonly string[], name: string): string | undefined {
  let best: string | undefined;
  for (const key of keys) {
    if (key === name) return key;
    if (key.endsWith('*') && name.startsWith(key.slice(0, -1)) && key.length > (best?.length ?? 0)) best = key;
  }
  return best;
}
