import type { IsDurable } from './test-server.js';

/** What a map of channels answers at run time when it is asked for a name. */
interface Declared {
  readonly [SPEC_OF]?: (name: string) => { readonly kind: string } | undefined;
}
/** The symbol under which the SDK keeps the function of a map that finds channels. */
const SPEC_OF: unique symbol = Symbol.for('fanfare.specOf');

/** @throws {Error} if it is no map that `defineChannels` returned. */
export function isDurableIn(channels: object): IsDurable {
  const specOf = (channels as Declared)[SPEC_OF];
  if (specOf === undefined) throw new Error('channels has to come from defineChannels');
  return (channel) => {
    const declared = specOf(channel);
    return declared && declared.kind !== 'live';
  };
}
