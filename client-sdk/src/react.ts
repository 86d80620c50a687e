/** Hooks for React 18 and later, on the stores of `@fanfare/client/store`. */
export type { DurableName } from './channels/resolve.js';
export {
  createHooks,
  type Hooks,
  type MessageIn,
  type ProviderProps,
  type UseSubscriptionOptions,
} from './react/hooks.js';
