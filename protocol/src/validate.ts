/** Hand-written validators: a bundle holds only those it uses. */
export { CLIENT_FRAMES, parseClientFrame } from './client-frames.js';
export type { FrameShape, ParsedFrame, Rule } from './rules.js';
export {
  isDurability,
  isEpoch,
  isHistoryLimit,
  isKey,
  isName,
  isPosition,
  isReplicasWanted,
  isRequestId,
  isTags,
  MAX_EPOCH_LENGTH,
  MAX_HISTORY_LIMIT,
  MAX_KEY_BYTES,
  MAX_NAME_BYTES,
  MAX_TAGS,
  MAX_TAGS_BYTES,
  REPLICAS_WANTED,
} from './rules.js';
export { HISTORY_ITEM, parseServerFrame, SERVER_FRAMES } from './server-frames.js';
