/**
 * What is needed of the Standard Schema interface, version 1 (standardschema.dev): zod from 3.24 on, valibot from 1 on
 * and arktype from 2 on implement it.
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  /** The key of the standard, under which a library keeps what the standard asks for. */
  readonly '~standard': {
    /** The version of the standard. */
    readonly version: 1;
    /** The name of the library. */
    readonly vendor: string;
    /** The value as readers are given it, or what is wrong. A promise is refused: schemas are synchronous here. */
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    /** Never there at run time. */
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}
type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly Issue[] };
/** One thing that a schema found wrong. */
export interface Issue {
  /** What is wrong, in words. */
  readonly message: string;
  /** Where in the data, from the outside in. */
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}
/** A schema of any Standard Schema library. */
export type AnySchema = StandardSchema;
/** What a schema takes: this goes over the wire. */
export type InputOf<S extends AnySchema> = NonNullable<S['~standard']['types']>['input'];
/** What a schema makes of it: this is what readers are given. */
export type OutputOf<S extends AnySchema> = NonNullable<S['~standard']['types']>['output'];
