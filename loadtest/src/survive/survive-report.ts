import type { Sample } from './gateway-metrics.js';
import type { SurviveOutcome, SurvivePlan } from './survive.js';

interface LedgerRow {
  readonly name: string;
  readonly value: number;
  /** Whether any other value than 0 is a failure. */
  readonly mustBeZero: boolean;
}

/** The ledger of a run; it passed if every row that must be 0 is. */
export function ledgerOf({ clients }: SurvivePlan, outcome: SurviveOutcome): readonly LedgerRow[] {
  const { publishing, crowd, samples, complaints } = outcome;
  const acknowledged = publishing.acknowledged.filter((offset) => offset > 0).length;
  const { balance, stats } = crowd;
  const [first, last] = [samples[0], samples.at(-1)];
  const lagged = first && last ? last.lagged - first.lagged : Number.NaN;
  const fact = (name: string, value: number): LedgerRow => ({ name, value, mustBeZero: false });
  const zero = (name: string, value: number): LedgerRow => ({ name, value, mustBeZero: true });
  return [
    fact('messages acknowledged', acknowledged),
    fact('publishes repeated after a cut', publishing.repeated),
    fact('sockets cut', crowd.cuts + publishing.cuts),
    fact('readers frozen', crowd.freezes),
    fact('  taken off their channel (lagged)', lagged),
    fact('resumed', stats.recovered),
    fact('messages owed to all clients', clients * acknowledged),
    fact('messages received', balance.received),
    zero('lost', balance.lost),
    zero('skipped, as a reset told', balance.skipped),
    zero('duplicated', balance.duplicated),
    zero('reordered', balance.reordered),
    zero('altered', balance.altered),
    zero('resets', stats.resets),
    zero('holes found and closed by the SDK', stats.gaps),
    zero('duplicates dropped by the SDK', stats.duplicatesDropped),
    zero('publishes not acknowledged', sum(publishing.failures)),
    zero('errors told to clients', sum(crowd.errors)),
    zero("complaints in the gateway's log", complaints.length),
  ];
}

export function printPlan(plan: SurvivePlan, print: (line: string) => void): void {
  const where = plan.url ?? `${plan.transport}, memory broker`;
  const load = `${whole(plan.clients)} clients, ${plan.perSecond} messages/s of ${plan.meanBytes} bytes on average`;
  print(`\n${where}: ${load}, ${plan.seconds} s`);
}

export function printLedger(plan: SurvivePlan, outcome: SurviveOutcome, print: (line: string) => void): void {
  for (const { name, value, mustBeZero } of ledgerOf(plan, outcome)) {
    const verdict = mustBeZero ? (value === 0 ? '  ok' : '  FAILED') : '';
    print(`  ${name.padEnd(36)}${(Number.isNaN(value) ? '?' : whole(value)).padStart(12)}${verdict}`);
  }
  print(`  ${"gateway's memory".padEnd(36)}  ${memory(plan.seconds, outcome.samples)}`);
  const { publishing, crowd, complaints } = outcome;
  for (const [what, times] of [...publishing.failures, ...crowd.errors]) print(`  ${times} x ${what}`);
  for (const line of complaints) print(`  gateway: ${line}`);
}

/** At a third of the run (10 s of 30), at its end, and when all have caught up. */
function memory(seconds: number, samples: readonly Sample[]): string {
  if (samples.length === 0) return 'not told';
  const at = (second: number) => samples.filter(({ atMs }) => atMs <= second * 1000 + 500).at(-1) as Sample;
  const mib = ({ residentBytes, heapBytes }: Sample) =>
    `${Math.round(residentBytes / 2 ** 20)} MiB (heap ${Math.round(heapBytes / 2 ** 20)})`;
  const third = Math.round(seconds / 3);
  return `${mib(at(third))} at ${third} s, ${mib(at(seconds))} at ${seconds} s, ${mib(samples.at(-1) as Sample)} in the end`;
}

function sum(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((total, times) => total + times, 0);
}

function whole(value: number): string {
  return value.toLocaleString('en');
}
