import { describe } from 'vitest';
import type { CreateTransport } from '../support/transport-harness.js';
import { transportBackpressureCases } from './transport-backpressure.cases.js';
import { transportClosingCases } from './transport-closing.cases.js';
import { transportHttpCases } from './transport-http.cases.js';
import { transportListeningCases } from './transport-listening.cases.js';
import { transportMessageCases } from './transport-message.cases.js';
import { transportTlsCases } from './transport-tls.cases.js';

/** What every adapter of the transport port has to do; run once for each. */
export function transportCases(name: 'uws' | 'ws', create: CreateTransport): void {
  describe('messages and topics', () => transportMessageCases(create));
  describe('backpressure', () => transportBackpressureCases(create));
  describe('closing', () => transportClosingCases(name, create));
  describe('HTTP', () => transportHttpCases(name, create));
  describe('listening', () => transportListeningCases(name, create));
  describe('TLS', () => transportTlsCases(name, create));
}
