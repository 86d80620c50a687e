import type { Mark } from './result.js';

export interface Series {
  readonly name: string;
  readonly colour: string;
  /** Times in ms, each with a value. NaN: there is no value, and the line is interrupted. */
  readonly points: readonly (readonly [atMs: number, value: number])[];
}

interface Plot {
  readonly title: string;
  readonly series: readonly Series[];
  readonly marks: readonly Mark[];
  /** Length of the time axis, ms. */
  readonly durationMs: number;
  /** Whether the axis of values is logarithmic, for durations that span several powers of ten. */
  readonly isLogarithmic?: boolean;
  /** Whether values are bytes, whose ticks are at powers of two. */
  readonly isBytes?: boolean;
  format(value: number): string;
}

const WIDTH = 640;
const HEIGHT = 230;
const LEFT = 66;
const RIGHT = 14;
const TOP = 34;
const BOTTOM = 28;
const INNER_WIDTH = WIDTH - LEFT - RIGHT;
const INNER_HEIGHT = HEIGHT - TOP - BOTTOM;
/** Most points of a line that are also drawn one by one. */
const DOTTED = 90;

/** Draws lines over time, with marks on the time axis, as an SVG element that needs nothing else. */
export function linePlot({
  title,
  series,
  marks,
  durationMs,
  isLogarithmic = false,
  isBytes = false,
  format,
}: Plot): string {
  const values = series
    .flatMap(({ points }) => points.map(([, value]) => value))
    .filter((value) => !Number.isNaN(value));
  const scale = isLogarithmic ? logarithmic(values) : linear(values, isBytes ? 2 ** 20 : 1);
  const x = (atMs: number) => LEFT + (atMs / Math.max(1, durationMs)) * INNER_WIDTH;
  const y = (value: number) => TOP + INNER_HEIGHT * (1 - scale.place(value));
  const grid = scale.ticks.map(
    (tick) =>
      `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at(y(tick))}" y2="${at(y(tick))}"/><text class="tick" text-anchor="end" x="${LEFT - 6}" y="${at(y(tick) + 4)}">${escapeXml(format(tick))}</text>`,
  );
  const times = timeTicks(durationMs).map(
    (ms) => `<text class="tick" text-anchor="middle" x="${at(x(ms))}" y="${HEIGHT - 9}">${ms / 1000} s</text>`,
  );
  const lines = series.map(({ colour, points, name }) => {
    const path = points
      .map(([ms, value], index) => {
        if (Number.isNaN(value)) return '';
        const isFirst = index === 0 || Number.isNaN(points[index - 1]?.[1] ?? Number.NaN);
        return `${isFirst ? 'M' : 'L'}${at(x(ms))} ${at(y(value))}`;
      })
      .join('');
    const dots = points.length > DOTTED ? [] : points.filter(([, value]) => !Number.isNaN(value));
    const circles = dots.map(
      ([ms, value]) =>
        `<circle cx="${at(x(ms))}" cy="${at(y(value))}" r="2.2" fill="${colour}"><title>${escapeXml(name)} ${escapeXml(format(value))} at ${(ms / 1000).toFixed(1)} s</title></circle>`,
    );
    return `<path d="${path}" fill="none" stroke="${colour}" stroke-width="1.8" stroke-linejoin="round"/>${circles.join('')}`;
  });
  return frame(title, [
    ...grid,
    ...times,
    ...marks.map((mark, index) => markLine(mark, index, x(mark.atMs))),
    ...lines,
    legend(series),
  ]);
}

function markLine({ text, isFault }: Mark, index: number, x: number): string {
  const kind = isFault ? 'fault' : 'mark';
  return `<g class="${kind}"><line x1="${at(x)}" x2="${at(x)}" y1="${TOP}" y2="${TOP + INNER_HEIGHT}"/><text text-anchor="middle" x="${at(x)}" y="${TOP - 3}">${index + 1}</text><title>${escapeXml(text)}</title></g>`;
}

/** Draws counts by upper bound, as bars over a logarithmic axis. */
export function histogramPlot(
  title: string,
  counts: readonly (readonly [upTo: number, count: number])[],
  lines: readonly { readonly name: string; readonly value: number }[],
  format: (value: number) => string,
): string {
  if (counts.length === 0) return frame(title, ['<text class="tick" x="80" y="110">nothing was received</text>']);
  const low = Math.log((counts[0]?.[0] ?? 1) / 1.2);
  const high = Math.log(counts.at(-1)?.[0] ?? 10);
  const x = (value: number) => LEFT + ((Math.log(value) - low) / Math.max(0.01, high - low)) * INNER_WIDTH;
  const top = Math.max(...counts.map(([, count]) => count));
  const bars = counts.map(([upTo, count]) => {
    const left = x(upTo / 1.2);
    const height = (count / top) * INNER_HEIGHT;
    return `<rect class="bar" x="${at(left)}" y="${at(TOP + INNER_HEIGHT - height)}" width="${at(Math.max(1, x(upTo) - left - 1))}" height="${at(height)}"><title>up to ${escapeXml(format(upTo))}: ${count.toLocaleString('en-US')}</title></rect>`;
  });
  const ticks = decades(counts[0]?.[0] ?? 1, counts.at(-1)?.[0] ?? 10).map(
    (value) =>
      `<text class="tick" text-anchor="middle" x="${at(x(value))}" y="${HEIGHT - 9}">${escapeXml(format(value))}</text>`,
  );
  const percentiles = lines.map(({ name, value }, index) => {
    const isRight = x(value) > LEFT + INNER_WIDTH * 0.75;
    const [labelAt, anchor] = isRight ? [x(value) - 3, 'end'] : [x(value) + 3, 'start'];
    return `<g class="percentile"><line x1="${at(x(value))}" x2="${at(x(value))}" y1="${TOP}" y2="${TOP + INNER_HEIGHT}"/><text text-anchor="${anchor}" x="${at(labelAt)}" y="${TOP + 10 + index * 12}">${name} ${escapeXml(format(value))}</text></g>`;
  });
  return frame(title, [...bars, ...ticks, ...percentiles]);
}

function frame(title: string, parts: readonly string[]): string {
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeXml(title)}"><text class="title" x="${LEFT}" y="16">${escapeXml(title)}</text><line class="axis" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${TOP + INNER_HEIGHT}" y2="${TOP + INNER_HEIGHT}"/>${parts.join('')}</svg>`;
}

function legend(series: readonly Series[]): string {
  const widths = series.map(({ name }) => 26 + name.length * 6);
  let at = WIDTH - RIGHT - widths.reduce((sum, width) => sum + width, 0);
  return series
    .map(({ name, colour }, index) => {
      const begin = at;
      at += widths[index] as number;
      return `<rect x="${begin}" y="8" width="10" height="10" rx="2" fill="${colour}"/><text class="legend" x="${begin + 14}" y="17">${escapeXml(name)}</text>`;
    })
    .join('');
}

interface Scale {
  readonly ticks: readonly number[];
  /** The place of a value on the axis: 0 is the bottom, and 1 the top. */
  place(value: number): number;
}

function linear(values: readonly number[], unit: number): Scale {
  const highest = Math.max(...values, 1e-9);
  const rough = highest / 4 / unit;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = unit * ([1, 2, 2.5, 5, 10].map((factor) => factor * power).find((one) => one >= rough) ?? 10 * power);
  const top = Math.ceil(highest / step - 1e-9) * step;
  const ticks = Array.from({ length: Math.round(top / step) + 1 }, (_, index) => index * step);
  return { ticks, place: (value) => value / top };
}

function logarithmic(values: readonly number[]): Scale {
  const positive = values.filter((value) => value > 0);
  const low = Math.floor(Math.log10(Math.min(...positive, 1)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...positive, 1))));
  const ticks = Array.from({ length: high - low + 1 }, (_, index) => 10 ** (low + index));
  return { ticks, place: (value) => (Math.log10(Math.max(value, 10 ** low)) - low) / (high - low) };
}

function decades(low: number, high: number): number[] {
  const all = [0.01, 0.1, 1, 10, 100, 1_000, 10_000, 100_000].flatMap((value) => [value, value * 2, value * 5]);
  const inside = all.filter((value) => value >= low && value <= high);
  return inside.length > 9 ? inside.filter((value) => /^[01.]+$/.test(String(value))) : inside;
}

function timeTicks(durationMs: number): number[] {
  const steps = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_800, 3_600].map((seconds) => seconds * 1000);
  const step = steps.find((one) => durationMs / one <= 9) ?? 7_200_000;
  return Array.from({ length: Math.floor(durationMs / step) + 1 }, (_, index) => index * step);
}

function at(value: number): string {
  return String(Math.round(value * 10) / 10);
}

export function escapeXml(text: string): string {
  return text.replace(/[&<>"]/g, (one) => `&#${one.charCodeAt(0)};`);
}
