import type { Bar } from './bars.js';
import type { CpuShares } from './cpu.js';
import { median } from './statistics.js';

type Unit = 'deliveries/s' | 'publishes/s' | 'messages/s' | 'joins/s' | 'ms' | 'us' | 'bytes';

/** One comparison: what the baseline and Fanfare did in each round. */
export interface Row {
  readonly group: string;
  readonly name: string;
  readonly unit: Unit;
  /** The values of the baseline, one for each round; none where it has nothing of the kind. */
  readonly baseline: readonly number[];
  readonly fanfare: readonly number[];
  readonly bar?: Bar | undefined;
  readonly baselineCpu?: CpuShares | undefined;
  readonly fanfareCpu?: CpuShares | undefined;
  /** How many messages a subscriber found in one read. */
  readonly baselinePerRead?: number | undefined;
  readonly fanfarePerRead?: number | undefined;
}

export interface Summary {
  readonly baseline: number;
  readonly fanfare: number;
  /** The median of the ratios of all rounds, or NaN. Both values of a round are from the same seconds. */
  readonly ratio: number;
  /** Whether the bar is met; `undefined` if there is no bar. */
  readonly met: boolean | undefined;
}

export function summarize({ baseline, fanfare, bar }: Row): Summary {
  const ratio = median(fanfare.map((value, round) => value / (baseline[round] ?? Number.NaN)));
  const difference = median(fanfare.map((value, round) => value - (baseline[round] ?? Number.NaN)));
  return { baseline: median(baseline), fanfare: median(fanfare), ratio, met: bar?.isMet(ratio, difference) };
}

/** Prints rows as they come, and keeps them. */
export class Report {
  readonly rows: Row[] = [];
  /** What went wrong, one line for each fault. */
  readonly faults: string[] = [];
  readonly #print: (line: string) => void;

  constructor(print: (line: string) => void) {
    this.#print = print;
  }

  /** Begins a group of rows: what is compared, and what the baseline is. */
  begin(group: string, description: string): void {
    this.#print(`\n${group}: ${description}`);
    this.#print(line('', 'baseline', 'Fanfare', 'ratio', 'bar', 'CPU client', 'CPU server', 'a read'));
  }

  add(row: Row): void {
    this.rows.push(row);
    const { baseline, fanfare, ratio, met } = summarize(row);
    const verdict = row.bar ? `${row.bar.text} ${met ? 'met' : 'MISSED'}` : '';
    const share = (shares: CpuShares | undefined, side: keyof CpuShares) => (shares ? percent(shares[side]) : '-');
    const cpu = (side: keyof CpuShares) => `${share(row.baselineCpu, side)} / ${share(row.fanfareCpu, side)}`;
    this.#print(
      line(
        row.name,
        format(baseline, row.unit),
        format(fanfare, row.unit),
        Number.isFinite(ratio) ? ratio.toFixed(3) : '-',
        verdict,
        cpu('client'),
        cpu('server'),
        row.fanfarePerRead === undefined
          ? ''
          : `${row.baselinePerRead?.toFixed(1) ?? '-'} / ${row.fanfarePerRead.toFixed(1)}`,
      ),
    );
  }

  note(text: string): void {
    this.#print(`  ${text}`);
  }

  fault(text: string): void {
    this.faults.push(text);
    this.#print(`  FAILED: ${text}`);
  }

  /** The whole report, for `--json`. */
  toJson(): unknown {
    const rows = this.rows.map((row) => ({ ...row, bar: row.bar?.text, ...medians(summarize(row)) }));
    return { rows, faults: this.faults };
  }
}

function medians({ baseline, fanfare, ratio, met }: Summary): Record<string, unknown> {
  return { baselineMedian: baseline, fanfareMedian: fanfare, ratio, met };
}

const WIDTHS = [30, 14, 14, 8, 21, 13, 13, 13];

function line(...cells: readonly string[]): string {
  const padded = cells.map((cell, column) =>
    column === 0 || column === 4 ? cell.padEnd(WIDTHS[column] ?? 0) : cell.padStart(WIDTHS[column] ?? 0),
  );
  return `  ${padded.join('  ').trimEnd()}`;
}

function format(value: number, unit: Unit): string {
  if (Number.isNaN(value)) return '-';
  if (unit === 'ms') return `${value.toFixed(2)} ms`;
  if (unit === 'us') return `${value.toFixed(1)} us`;
  if (unit === 'messages/s') return `${Math.round(value)}/s`;
  if (unit === 'bytes') return `${Math.round(value)} B`;
  return value >= 1e6 ? `${(value / 1e6).toFixed(2)} M/s` : `${(value / 1e3).toFixed(1)} k/s`;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
