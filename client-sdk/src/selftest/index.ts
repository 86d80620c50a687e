/** Proves on a running deployment what the gateway promises. `npx @fanfare/client selftest` runs it. */
export { type SelftestOptions, type SelftestResult, selftest } from './selftest.js';
