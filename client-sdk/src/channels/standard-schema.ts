/**
 * What is needed of the Standard Schema interface, version 1 (standardschema.dev): zod from 3.24 on, valibot from 1 on
 * and arktype from 2 on implement it.
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}
type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly Issue[] };
export interface Issue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}
export type AnySchema = StandardSchema;
export type InputOf<S extends AnySchema> = NonNullable<S['~standard']['types']>['input'];
export type OutputOf<S extends AnySchema> = NonNullable<S['~standard']['types']>['output'];
