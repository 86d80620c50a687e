/**
 * The conformance suite of the broker port: each engine runs it as it is.
 * It uses real time, channels of its own, and asks nothing of an engine that the port does not say.
 */
import { afterAll, beforeAll, describe } from 'vitest';
import { closingCases } from './broker/closing.cases.js';
import { idempotencyCases } from './broker/idempotency.cases.js';
import { liveCases } from './broker/live.cases.js';
import type { BrokerPair, MakeBrokers } from './broker/pair.js';
import { publishCases } from './broker/publish.cases.js';
import { readCases } from './broker/read.cases.js';
import { retentionCases } from './broker/retention.cases.js';
import { subscribeCases } from './broker/subscribe.cases.js';

export function brokerCases(name: string, makeBrokers: MakeBrokers): void {
  describe(`${name} broker`, () => {
    let pair: BrokerPair;
    beforeAll(async () => {
      pair = await makeBrokers({ idempotencyMs: 60_000 });
    });
    afterAll(() => pair?.stop());
    const brokers = () => pair;

    describe('publish', () => publishCases(brokers));
    describe('idempotency', () => idempotencyCases(brokers, makeBrokers));
    describe('read', () => readCases(brokers));
    describe('retention', () => retentionCases(brokers));
    describe('subscribe', () => subscribeCases(brokers));
    describe('live channels', () => liveCases(brokers));
    describe('closing', () => closingCases(brokers, makeBrokers));
  });
}
