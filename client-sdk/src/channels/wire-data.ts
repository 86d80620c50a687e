/**
 * The path to something in a type that JSON and MessagePack would not bring back as it was, or `never`. It looks ten
 * levels deep, so that types which hold themselves come to an end.
 */
export type NotWire<T, Path extends string = 'data', Levels extends 1[] = []> =
  IsAny<T> extends true
    ? never
    : Levels['length'] extends 10
      ? never
      : T extends string | number | boolean | null | undefined | Uint8Array
        ? never
        : T extends bigint | symbol | ((...args: never[]) => unknown) | Date | Collection | RegExp
          ? Path
          : T extends readonly (infer Item)[]
            ? NotWire<Item, `${Path}[]`, [...Levels, 1]>
            : T extends object
              ? {
                  [Field in keyof T & string]-?: NotWire<T[Field], `${Path}.${Field}`, [...Levels, 1]>;
                }[keyof T & string]
              : never;

type Collection = Map<unknown, unknown> | Set<unknown> | WeakMap<object, unknown> | WeakSet<object>;
type IsAny<T> = 0 extends 1 & T ? true : false;
