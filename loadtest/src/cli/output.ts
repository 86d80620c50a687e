import { randomInt } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { painter } from '../report/format.js';
import { htmlReport } from '../report/html.js';
import { LiveView } from '../report/live-view.js';
import { prometheusText } from '../report/prometheus.js';
import type { RunResult } from '../report/result.js';
import { formatSummary } from '../report/summary.js';
import { parseThreshold, type Threshold } from '../report/thresholds.js';
import { UsageError, wholeNumber } from './flags.js';

export const OUTPUT_OPTIONS = {
  json: { type: 'string' },
  html: { type: 'string' },
  prometheus: { type: 'string' },
  threshold: { type: 'string', multiple: true },
  seed: { type: 'string' },
  quiet: { type: 'boolean', default: false },
  'allow-limited': { type: 'boolean', default: false },
} as const;

export const OUTPUT_USAGE = `  --json <file>         everything measured, as JSON
  --html <file>         a report with plots, one self-contained file
  --prometheus <file>   the same series in Prometheus' text format, with time stamps (promtool tsdb create-blocks-from openmetrics)
  --threshold <cond>    decides the exit code, may be repeated: 'p99<50ms', 'lost==0', 'deliveries>100000'
  --seed <n>            of everything random (default: a new one, printed)
  --allow-limited       a run that the generator limited may pass
  --quiet               the summary only`;

export interface OutputFlags {
  readonly json?: string | undefined;
  readonly html?: string | undefined;
  readonly prometheus?: string | undefined;
  readonly quiet?: boolean | undefined;
}

export function parseThresholds(texts: readonly string[]): Threshold[] {
  try {
    return texts.map(parseThreshold);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

export function parseSeed(text: string | undefined): number {
  return text === undefined ? randomInt(1, 1_000_000) : wholeNumber('seed', text, 0);
}

/** Returns the live view on the standard output of this process, unless it is to be quiet. */
export function liveView({ quiet }: OutputFlags): LiveView | undefined {
  if (quiet) return undefined;
  const { stdout } = process;
  const isTTY = stdout.isTTY === true;
  return new LiveView(
    {
      isTTY,
      get columns() {
        return stdout.columns || 80;
      },
      write: (text) => void stdout.write(text),
    },
    painter(isTTY),
  );
}

/** Prints the summary and writes the files asked for. */
export function deliver(result: RunResult, flags: OutputFlags): void {
  process.stdout.write(
    formatSummary(result, painter(process.stdout.isTTY === true || process.env.FORCE_COLOR !== undefined)),
  );
  if (flags.json !== undefined) writeFileSync(flags.json, `${JSON.stringify(result, undefined, 2)}\n`);
  if (flags.html !== undefined) writeFileSync(flags.html, htmlReport(result));
  if (flags.prometheus !== undefined) writeFileSync(flags.prometheus, prometheusText(result));
}

/** Returns a signal that the first Ctrl-C or SIGTERM aborts. The second one ends the process at once. */
export function interruption(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (controller.signal.aborted) process.exit(130);
      process.stderr.write('\nending; once more ends at once\n');
      controller.abort();
    });
  }
  return controller.signal;
}
