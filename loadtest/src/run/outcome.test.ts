import { expect, it } from 'vitest';
import { parseThreshold } from '../report/thresholds.js';
import { resolveScenario } from '../scenario/scenario.js';
import { MIN_CONNECTIONS_FOR_MEMORY, type RunTerms, resultOf } from './outcome.js';
import { Recording } from './recording.js';

type Measured = Parameters<typeof resultOf>[1];

const TARGET = { urls: [], apis: [], apiKey: undefined, tokens: {} };

/** Returns the result of a clean run of this many connections, in which something is otherwise. */
function run(
  {
    terms = {},
    group = {},
    ...measured
  }: Partial<Measured> & { readonly terms?: Partial<RunTerms>; readonly group?: object } = {},
  recorded: (recording: Recording) => void = () => {},
) {
  const recording = new Recording();
  const connections = 1_000;
  recording.peakConnections = connections;
  recorded(recording);
  return resultOf(
    {
      scenario: resolveScenario({ name: 'one', groups: { all: { connections, ...group } } }),
      target: TARGET as RunTerms['target'],
      generators: [],
      seed: 1,
      runId: 'r',
      thresholds: [],
      allowLimited: false,
      signal: new AbortController().signal,
      ...terms,
    },
    {
      recording,
      startedAt: new Date(0),
      publishedMs: 0,
      wanted: connections,
      skipped: 0,
      lostByLog: 0,
      passedOver: 0,
      offenders: [],
      firstSample: undefined,
      lastSample: undefined,
      settledBytes: undefined,
      ...measured,
    },
  );
}

const sample = (residentBytes: number) => ({ residentBytes, cpuSeconds: 0, connections: 0, counters: {} });

it('passes where nothing is missing, and fails for each thing that must not be', () => {
  expect(run().passed).toBe(true);
  expect(run({}, ({ audit }) => audit.lost++).passed).toBe(false);
  expect(run({}, ({ audit }) => audit.duplicated++).passed).toBe(false);
  expect(run({}, (recording) => recording.refused++).passed).toBe(false);
  expect(run({}, (recording) => recording.peakConnections--).passed).toBe(false);
  expect(run({ terms: { complaints: () => ['a line'] } }).passed).toBe(false);
  expect(run({ terms: { thresholds: [parseThreshold('received>0')] } }).passed).toBe(false);
});

it('is limited by generators that left publishes out, unless that is allowed', () => {
  expect(run({ skipped: 1 }).passed).toBe(false);
  expect(run({ skipped: 1, terms: { allowLimited: true } }).passed).toBe(true);
});

it('does not call lost what the log lost itself, or a reset passed over', () => {
  const { passed, audit } = run({ lostByLog: 2, passedOver: 3 }, ({ audit }) => (audit.lost = 5));
  expect([passed, audit.lost, audit.lostByLog, audit.skipped]).toEqual([true, 0, 2, 3]);
});

it('need not have had all connections at once if it was interrupted, or if they come and leave', () => {
  const some = (recording: Recording) => (recording.peakConnections = 900);
  expect(run({ terms: { signal: AbortSignal.abort() } }, some).passed).toBe(true);
  const group = { churn: { perSecond: 0.1 } };
  expect(run({ group }, some).passed).toBe(false);
  const each = (recording: Recording) => {
    some(recording);
    for (let n = 0; n < 1_000; n++) recording.connecting.recordValue(1);
  };
  expect(run({ group }, each).passed).toBe(true);
});

it('divides memory by connections where there are enough, and it grew', () => {
  const bytes = (before: number, settledBytes: number | undefined, wanted?: number) =>
    run({ firstSample: sample(before), settledBytes, ...(wanted && { wanted }) }).gateway.bytesPerConnection;
  expect(bytes(1_000, 5_001_000)).toBe(5_000);
  expect(bytes(5_001_000, 1_000)).toBeUndefined();
  expect(bytes(1_000, undefined)).toBeUndefined();
  expect(bytes(1_000, 5_001_000, MIN_CONNECTIONS_FOR_MEMORY - 1)).toBeUndefined();
});
