/** Named positions: where a subscription stood, kept over reloads and restarts, bound to address, channel, name and user. */
export { customPositions, type PositionsOptions } from './positions/keeper.js';
export type { Commit, Positions } from './positions/named.js';
export type { PositionStore, StoredPosition } from './positions/store.js';
export { localPositions, sessionPositions } from './positions/web-stores.js';
