import { describe } from 'vitest';
import type { CreateTransport } from '../support/transport-harness.js';
import { transportBackpressureCases } from './transport-backpressure.cases.js';
import { transportClosingCases, transportClosingTimeoutCases } from './transport-closing.cases.js';
import { transportHttpCases, transportHttpTimeoutCases } from './transport-http.cases.js';
import { transportListeningCases } from './transport-listening.cases.js';
import { transportMessageCases } from './transport-message.cases.js';
import { transportTlsCases, transportTlsTimeoutCases } from './transport-tls.cases.js';

/** What every adapter of the transport port has to do; run once for each. */
export function transportCases(name: 'uws' | 'ws', create: CreateTransport): void {
  describe('messages and topics', () => transportMessageCases(create));
  describe('backpressure', () => transportBackpressureCases(create));
  describe('closing', () => transportClosingCases(create));
  describe('HTTP', () => transportHttpCases(name, create));
  describe('listening', () => transportListeningCases(name, create));
  describe('TLS', () => transportTlsCases(create));
}

/** What it has to do in time: these wait, of all adapters at once. */
export function transportTimeoutCases(name: 'uws' | 'ws', create: CreateTransport): void {
  transportClosingTimeoutCases(name, create);
  transportHttpTimeoutCases(name, create);
  transportTlsTimeoutCases(name, create);
}
