import { badRequest, FanfareClientError } from '../errors.js';
import { type Declared, type ParseResult, SPEC_OF } from './declared.js';
import { invalidData } from './invalid-data.js';
import { keyOf } from './patterns.js';
import type { AnySpec, ChannelSpec, InOf, Kind, NoTags, SpecOf, TagRules } from './spec.js';
import type { AnySchema, InputOf, OutputOf, StandardSchema } from './standard-schema.js';
import type { NotWire } from './wire-data.js';

/** What a channel has besides its data. */
export interface SpecOptions<Tags extends TagRules, State> {
  /** Its tags, with the values that they may have. They are typed in `publish({ tags })` and in what is read. */
  readonly tags?: { readonly [Name in keyof Tags]: readonly Tags[Name][] } | undefined;
  /** A schema whose type is what members of the channel show of themselves. Nothing is checked by it at run time. */
  readonly presence?: { readonly '~standard': { readonly types?: { readonly output: State } | undefined } } | undefined;
}

interface Maker<K extends Kind> {
  /** Declares by a type alone, so that nothing is checked at run time. */
  <T>(): ChannelSpec<T, T, K, NoTags, never>;
  /** Declares by a schema, which has to be synchronous, because order would suffer otherwise. */
  <S extends AnySchema, const Tags extends TagRules = NoTags, State = never>(
    schema: S,
    options?: SpecOptions<Tags, State>,
  ): ChannelSpec<InputOf<S>, OutputOf<S>, K, Tags, State>;
}

const make =
  <K extends Kind>(kind: K) =>
  (schema?: AnySchema) => ({ kind, schema });
/**
 * Declares channels that are kept in a log, with positions, history, rewind and resets. It takes a type alone, as in
 * `durable<Chat>()`, or a schema, as in `durable(z.object({ … }), { tags, presence })`.
 */
export const durable = make('durable') as Maker<'durable'>;
/**
 * Declares channels whose messages are pushed once to those who are there, without history and positions. It takes a type
 * or a schema, as {@link durable} does.
 */
export const live = make('live') as Maker<'live'>;
/** Declares durable channels whose messages grow by appending. It takes a type or a schema, as {@link durable} does. */
export const stream = make('stream') as Maker<'stream'>;

/** The mistake is the type, so that it is what the compiler prints. */
type CheckEntry<Key, Entry> = Key extends `${string}*${infer Rest}`
  ? Rest extends ''
    ? CheckData<Entry>
    : { readonly 'a * may stand at the end only': Key }
  : CheckData<Entry>;
type CheckData<Entry> = [NotWire<InOf<SpecOf<Entry>>>] extends [never]
  ? unknown
  : { readonly 'does not survive JSON, use text or a number on the wire': NotWire<InOf<SpecOf<Entry>>> };
/**
 * A map whose mistakes are types, so that the compiler prints them: a `*` in the middle of a key, data that JSON does
 * not carry.
 */
export type CheckMap<Map> = { readonly [Key in keyof Map]: CheckEntry<Key, Map[Key]> };

/**
 * Declares the channels of an application, once, for pages and backends alike: names, and patterns
 * that end with a `*`. An exact name wins over every pattern, a longer pattern over a shorter one.
 * @throws {FanfareClientError} `bad_request` if a `*` stands elsewhere than at an end.
 */
export function defineChannels<const Map extends Readonly<Record<string, { readonly kind: Kind } | AnySchema>>>(
  map: Map & CheckMap<Map>,
): Map {
  const keys = Object.keys(map);
  const wrong = keys.find((key) => key.slice(0, -1).includes('*'));
  if (wrong !== undefined) throw badRequest(`a * may stand at the end only: ${wrong}`);
  const declared: Declared = {
    [SPEC_OF]: (name) => {
      const key = keyOf(keys, name);
      if (key === undefined) return undefined;
      const entry = map[key] as AnySpec | AnySchema;
      const { kind, schema } = '~standard' in entry ? { kind: 'durable' as const, schema: entry } : entry;
      return {
        key,
        kind,
        parse: schema && ((data) => validate(name, schema as StandardSchema, data)),
        findMismatch: (durable) => (durable === (kind !== 'live') ? undefined : wrongKind(name, durable)),
      };
    },
  };
  return Object.assign(Object.create(declared), map);
}

function validate(channel: string, schema: StandardSchema, data: unknown): ParseResult {
  const result = schema['~standard'].validate(data);
  const issues = 'then' in result ? [{ message: 'the schema is not synchronous' }] : result.issues;
  return issues ? { issues, error: invalidData(channel, issues) } : (result as { readonly value: unknown });
}

function wrongKind(channel: string, durable: boolean): FanfareClientError {
  const [is, declared] = durable ? ['durable', 'live'] : ['live', 'durable'];
  return new FanfareClientError('wrong_kind', `${channel} is ${is} at the gateway and was declared ${declared}`, {
    channel,
  });
}
