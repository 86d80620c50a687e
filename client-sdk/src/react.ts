/** Hooks for React 18 and later, on the stores of `@fanfare/client/store`. */
export {
  createHooks,
  type Hooks,
  type MessageIn,
  type ProviderProps,
  type UseSubscriptionOptions,
} from './react/hooks.js';
