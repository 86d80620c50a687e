/**
 * The gateway itself, in memory, for tests of applications: {@link createTestGateway}, and {@link underFaults}, which plays a component
 * through faults.
 */
// This is `@fanfare/client/testing`. It is here because it is made of the gateway's parts.
export type { ErrorCode } from '@fanfare/client';
export { VirtualClock } from '@fanfare/client/testing';
export type { Faults, Who } from './faults.js';
export type { FaultName } from './storm.js';
export { TestClock } from './test-clock.js';
export {
  createTestGateway,
  type TestClientOptions,
  type TestGateway,
  type TestGatewayOptions,
  type TestPublishOptions,
} from './test-gateway.js';
export { type UnderFaultsOptions, underFaults } from './under-faults.js';
