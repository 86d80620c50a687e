import type { ChannelName, KeyOf } from './patterns.js';
import type { ChannelSpec, InOf, KindOf, OutOf, SpecOf, StateOf, TagRules, TagsOf } from './spec.js';

/**
 * The declaration of a name. If several keys fit a computed name, reading gives the union of their data, and publishing
 * takes only what all of them take.
 */
export type SpecIn<Map, Name extends string> =
  KeyOf<Map, Name> extends infer Key
    ? IsUnion<Key> extends true
      ? Merged<SpecsAt<Map, Key>>
      : SpecsAt<Map, Key>
    : never;

type SpecsAt<Map, Key> = Key extends keyof Map ? SpecOf<Map[Key]> : never;
type Merged<Spec> = ChannelSpec<Ins<Spec>, OutOf<Spec>, KindOf<Spec>, Extract<Tags<Spec>, TagRules>, StateOf<Spec>>;
/**
 * What all of the declarations take. Parameters are contravariant, so what is inferred is what every one of them takes.
 */
type Ins<Spec> = (Spec extends unknown ? (x: InOf<Spec>) => void : never) extends (x: infer I) => void ? I : never;
type Tags<Spec> = (Spec extends unknown ? (x: TagsOf<Spec>) => void : never) extends (x: infer I) => void ? I : never;
type IsUnion<T, All = T> = [T] extends [never] ? false : T extends unknown ? ([All] extends [T] ? false : true) : never;

/** The patterns of a map: what `channel('chat:*', id)` completes. */
export type PatternOf<Map> = Extract<keyof Map & string, `${string}*`>;
export type Completed<Key extends string, Rest extends string> = Key extends `${infer Prefix}*`
  ? `${Prefix}${Rest}`
  : never;

/** Names of channels whose messages grow. */
export type StreamName<Map> = ChannelName<Pick<Map, StreamKeys<Map>>>;
type StreamKeys<Map> = {
  [Key in keyof Map & string]: SpecOf<Map[Key]> extends { readonly kind: 'stream' } ? Key : never;
}[keyof Map & string];

/** Names of channels that have a log. */
export type DurableName<Map> = ChannelName<Pick<Map, DurableKeys<Map>>>;
type DurableKeys<Map> = {
  [Key in keyof Map & string]: SpecOf<Map[Key]> extends { readonly kind: 'live' } ? never : Key;
}[keyof Map & string];
