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
    ? Name extends ExactKeys<Map>
      ? Name
      : Longest<CoveringPatterns<Map, Name>>
    : Longest<CoveringPatterns<Map, Name>> | NarrowerKeys<Map, Name>
  : never;

type PatternKeys<Map> = Extract<keyof Map & string, `${string}*`>;
type ExactKeys<Map> = Exclude<keyof Map & string, `${string}*`>;
type PrefixOf<Key extends string> = Key extends `${infer Prefix}*` ? Prefix : Key;

/** The patterns that hold for all of `Name`. */
type CoveringPatterns<Map, Name extends string> =
  PatternKeys<Map> extends infer Key
    ? Key extends `${infer P}*`
      ? Name extends `${P}${string}`
        ? Key
        : never
      : never
    : never;

/** The keys that hold for some of the names that a computed `Name` stands for. */
type NarrowerKeys<Map, Name extends string> =
  | (ExactKeys<Map> extends infer Key ? (Key extends Name ? Key : never) : never)
  | (PatternKeys<Map> extends infer Key
      ? Key extends `${infer P}*`
        ? P extends MayBegin<Name>
          ? Key
          : never
        : never
      : never);

/** The longest of some keys. All of them are prefixes of one name, so one of them has all others as prefixes. */
type Longest<Keys, All = Keys> = Keys extends string
  ? [All extends string ? (PrefixOf<Keys> extends `${PrefixOf<All>}${string}` ? never : All) : never] extends [never]
    ? Keys
    : never
  : never;

/** What a prefix must look like for a computed `Name` to begin with it: after `chat:${number}` no letter comes. */
type MayBegin<Name extends string> = Name extends `${LiteralHead<Name>}${number}${string}`
  ? `${LiteralHead<Name>}${number}${string}`
  : `${LiteralHead<Name>}${string}`;

/** The text that a template begins with for certain: `chat:${string}:x` -> `chat:`. */
type LiteralHead<Name extends string> = Name extends `${infer First}${infer Rest}`
  ? IsLiteral<First> extends true
    ? `${First}${LiteralHead<Rest>}`
    : ''
  : '';

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
