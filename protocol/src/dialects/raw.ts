import { compactRawDialect } from './compact-raw.js';
import type { JoiningDialect } from './dialect.js';
import { jsonRawDialect } from './json-raw.js';
import { msgpackRawDialect } from './msgpack-raw.js';

export { compactRawDialect } from './compact-raw.js';
export { jsonRawDialect, type PublishBody, parsePublishBody } from './json-raw.js';
export { msgpackRawDialect } from './msgpack-raw.js';
export { transcode } from './transcode.js';

export const RAW_DIALECTS = {
  json: jsonRawDialect,
  compact: compactRawDialect,
  msgpack: msgpackRawDialect,
} as const satisfies Readonly<Record<string, JoiningDialect>>;
