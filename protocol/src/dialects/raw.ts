import type { RawDialect } from './dialect.js';
import { jsonRawDialect } from './json-raw.js';
import { msgpackRawDialect } from './msgpack-raw.js';

export { jsonRawDialect, type PublishBody, parsePublishBody } from './json-raw.js';
export { msgpackRawDialect } from './msgpack-raw.js';
export { transcode } from './transcode.js';

export const RAW_DIALECTS = {
  json: jsonRawDialect,
  msgpack: msgpackRawDialect,
} as const satisfies Readonly<Record<string, Required<RawDialect>>>;
