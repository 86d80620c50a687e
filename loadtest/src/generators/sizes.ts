import { MAX_PAYLOAD_BYTES, MIN_PAYLOAD_BYTES } from '../audit/payload.js';

/** How long payloads are, bytes: all of one size, evenly between two sizes, around a mean, or by weight. */
type Sizes =
  | number
  | { readonly min: number; readonly max: number }
  | { readonly mean: number; readonly deviation: number }
  | { readonly choices: readonly { readonly size: number; readonly weight: number }[] };

/** Returns a function that draws sizes. `random` returns numbers from 0 to below 1. */
export function sizeDrawer(sizes: Sizes, random: () => number): () => number {
  const clamp = (size: number) => Math.min(MAX_PAYLOAD_BYTES, Math.max(MIN_PAYLOAD_BYTES, Math.round(size)));
  if (typeof sizes === 'number') return () => clamp(sizes);
  if ('min' in sizes) return () => clamp(sizes.min + random() * (sizes.max - sizes.min));
  if ('mean' in sizes) {
    // Box and Muller: two even draws make a normal one.
    const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    return () => clamp(sizes.mean + sizes.deviation * normal());
  }
  const total = sizes.choices.reduce((sum, { weight }) => sum + weight, 0);
  return () => {
    let at = random() * total;
    for (const { size, weight } of sizes.choices) {
      at -= weight;
      if (at < 0) return clamp(size);
    }
    return clamp(sizes.choices.at(-1)?.size ?? 0);
  };
}
