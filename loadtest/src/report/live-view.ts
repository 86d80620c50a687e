import { stripVTControlCharacters } from 'node:util';
import type { Progress } from '../run/run.js';
import { formatBytes, formatCount, formatMs, formatPercent, formatRate, type Paint } from './format.js';
import { MUST_BE_ZERO } from './summary.js';

interface Terminal {
  readonly isTTY: boolean;
  readonly columns: number;
  write(text: string): void;
}

const BAR_WIDTH = 30;
/** How often a line is printed where there is no terminal, ms. */
const LINE_EVERY_MS = 5_000;

/** Shows a run while it goes on: on a terminal as a view that is repainted, elsewhere as lines. */
export class LiveView {
  readonly #terminal: Terminal;
  readonly #paint: Paint;
  #height = 0;
  #lastLineMs = Number.NEGATIVE_INFINITY;

  constructor(terminal: Terminal, paint: Paint) {
    this.#terminal = terminal;
    this.#paint = paint;
  }

  show(progress: Progress): void {
    if (this.#terminal.isTTY) this.#repaint(progress);
    else this.#line(progress);
  }

  /** Takes the view away, so that a summary can stand in its place. */
  clear(): void {
    if (this.#height > 0) this.#terminal.write(`\x1b[${this.#height}A\x1b[J`);
    this.#height = 0;
  }

  #line({ phase, point, recording }: Progress): void {
    if (point.atMs - this.#lastLineMs < LINE_EVERY_MS) return;
    this.#lastLineMs = point.atMs;
    const { audit } = recording;
    const wrong = MUST_BE_ZERO.filter((name) => audit[name] > 0).map((name) => `${name} ${audit[name]}`);
    this.#terminal.write(
      `${(point.atMs / 1000).toFixed(0).padStart(5)} s  ${phase}  ${formatCount(point.connections)} connections  ${formatRate(point.received)} received  p99 ${formatMs(point.p99)}  ${wrong.join(', ') || 'all well'}\n`,
    );
  }

  #repaint({ phase, share, point, recording, wanted }: Progress): void {
    const paint = this.#paint;
    const { audit, errors } = recording;
    const done = Math.round(share * BAR_WIDTH);
    const bar = `${'█'.repeat(done)}${paint.dim('░'.repeat(BAR_WIDTH - done))}`;
    const gateway =
      point.gatewayBytes === undefined
        ? 'does not tell'
        : `${formatPercent(point.gatewayCpu ?? 0)} of a core, ${formatBytes(point.gatewayBytes)}`;
    const counts = MUST_BE_ZERO.map((name) =>
      audit[name] > 0 ? paint.red(`${name} ${formatCount(audit[name])}`) : `${name} 0`,
    );
    const errorCount = Object.values(errors).reduce((sum, count) => sum + count, 0);
    const lines = [
      `  ${bar} ${formatPercent(share)}  ${phase}  ${(point.atMs / 1000).toFixed(0)} s`,
      `  connections  ${formatCount(point.connections)} of ${formatCount(wanted)}${point.pending > 0 ? `, ${formatCount(point.pending)} on their way` : ''}`,
      `  published    ${formatRate(point.published)}   acknowledged ${formatRate(point.acknowledged)}`,
      `  received     ${formatRate(point.received)}   ${formatBytes(point.bytes)}/s`,
      `  latency      p50 ${formatMs(point.p50)}   p99 ${formatMs(point.p99)}   p99.9 ${formatMs(point.p999)}   max ${formatMs(point.max)}`,
      `  gateway      ${gateway}`,
      `  generator    ${formatPercent(point.generatorCpu)} of a core, busiest loop ${formatPercent(point.generatorBusy)}`,
      `  audit        ${counts.join('  ')}`,
      `  errors       ${errorCount > 0 ? paint.red(formatCount(errorCount)) : '0'}${recording.marks.length > 0 ? paint.dim(`   ${recording.marks.at(-1)?.text}`) : ''}`,
    ].map((text) => clip(text, this.#terminal.columns));
    this.clear();
    this.#terminal.write(`${lines.join('\n')}\n`);
    this.#height = lines.length;
  }
}

/**
 * Cuts a line to the width of the terminal, so that a long line does not become two. A line that is cut loses its
 * colours.
 */
function clip(text: string, columns: number): string {
  const plain = stripVTControlCharacters(text);
  return plain.length < columns ? text : plain.slice(0, columns - 1);
}
