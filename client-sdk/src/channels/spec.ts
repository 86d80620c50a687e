import type { AnySchema, InputOf, OutputOf } from './standard-schema.js';

/**
 * What a channel keeps of its messages.
 * - `durable`: They are kept in a log, with positions, history, rewind and resets.
 * - `live`: They are pushed once to those who are there.
 * - `stream`: They are kept in a log, and grow by appending.
 */
export type Kind = 'durable' | 'live' | 'stream';
/** The names of tags, with the values that they may have, such as `{ lang: 'en' | 'de' }`. */
export type TagRules = Readonly<Record<string, string>>;
/** Where none are declared. */
export type NoTags = Record<never, never>;

/**
 * What is known of a channel. `In` is what is published and goes over the wire, `Out` what a validator
 * makes of it at each reader: publishing never transforms, reading does. `types` is never there at run time.
 */
export interface ChannelSpec<In = unknown, Out = In, K extends Kind = Kind, Tags = TagRules, State = unknown> {
  /** What the channel keeps of its messages. */
  readonly kind: K;
  /** What checks and translates data. There is none where only a type was declared. */
  readonly schema?: AnySchema | undefined;
  /** This is never there at run time: it holds the types for the compiler. */
  readonly types?: { readonly in: In; readonly out: Out; readonly tags: Tags; readonly state: State };
}
/** A declaration of which nothing more is known. */
export type AnySpec = ChannelSpec<unknown, unknown, Kind, unknown, unknown>;

declare const LIVE: unique symbol;
/** A live channel in a map of types alone, as in `{ 'cursor:*': Live<Cursor> }`. */
export interface Live<T> {
  /** This is never there at run time: it tells the compiler what is live. */
  readonly [LIVE]: T;
}

/** What an entry of a map declares: a schema or a plain type by itself is a durable channel. */
export type SpecOf<Entry> = Entry extends AnySpec
  ? Entry
  : Entry extends AnySchema
    ? ChannelSpec<InputOf<Entry>, OutputOf<Entry>, 'durable', NoTags, never>
    : Entry extends Live<infer T>
      ? ChannelSpec<T, T, 'live', NoTags, never>
      : ChannelSpec<Entry, Entry, 'durable', NoTags, never>;

type Types<Spec> = Spec extends { readonly types?: infer T } ? NonNullable<T> : never;
/** The type of what is published. */
export type InOf<Spec> = Types<Spec> extends { readonly in: infer T } ? T : never;
/** The type of what readers are given. */
export type OutOf<Spec> = Types<Spec> extends { readonly out: infer T } ? T : never;
/** The tags that are declared, with their values. */
export type TagsOf<Spec> = Types<Spec> extends { readonly tags: infer T } ? T : never;
/** The type of what members of the channel show of themselves, `never` where nothing was declared. */
export type StateOf<Spec> = Types<Spec> extends { readonly state: infer T } ? T : never;
export type KindOf<Spec> = Spec extends { readonly kind: infer K extends Kind } ? K : never;
