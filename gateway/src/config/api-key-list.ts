import { z } from 'zod';
import { type ApiKey, MAX_KEY_LENGTH, SCOPES } from '../auth/api-keys.js';
import type { ValueType } from './types.js';

/** An API key of which nothing is said but the key itself. It may do everything. */
export function plainKey(key: string, index: number): ApiKey {
  return { name: `key-${index + 1}`, key, scopes: SCOPES, channels: ['*'] };
}

const error = `expected 1 to ${MAX_KEY_LENGTH} visible ASCII characters without a comma`;
const key = z.string({ error }).regex(/^[\x21-\x2b\x2d-\x7e]{1,256}$/, error);
const scope = z.enum(SCOPES, { error: `expected some of ${SCOPES.join(', ')}` });
const patterns = z.array(
  z.string({ error: 'expected a pattern like chat:*' }).min(1, 'expected a pattern like chat:*'),
  {
    error: 'expected a list of patterns',
  },
);

const entry = z.strictObject(
  {
    name: z
      .string({ error: 'expected a name' })
      .regex(/^[\w.:-]{1,64}$/, 'expected 1 to 64 letters, digits or . _ : -')
      .optional(),
    key,
    scopes: z.array(scope, { error: 'expected a list of scopes' }).min(1, 'expected at least one scope').optional(),
    channels: patterns.min(1, 'expected at least one pattern').optional(),
  },
  { error: 'expected a key, or an object with name, key, scopes and channels' },
);

function named({ key, name, scopes, channels }: z.output<typeof entry>, index: number): ApiKey {
  const plain = plainKey(key, index);
  return { key, name: name ?? plain.name, scopes: scopes ?? plain.scopes, channels: channels ?? plain.channels };
}

/**
 * The list of keys. Each is a text, or an object that says what the key is for. A key without a name is called by its
 * place, such as `key-1`.
 */
const schema = z
  .array(
    z.preprocess((item) => (typeof item === 'string' ? { key: item } : item), entry),
    { error: 'expected a list of keys' },
  )
  .transform((keys): ApiKey[] => keys.map(named))
  .refine((keys) => new Set(keys.map(({ name }) => name)).size === keys.length, {
    error: 'two keys have the same name',
  });

export const apiKeys: ValueType<readonly ApiKey[]> = {
  schema: schema as z.ZodType<readonly ApiKey[]>,
  fromText: (text) =>
    text
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== ''),
};
