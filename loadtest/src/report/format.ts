/** A number as people read it. */
export function formatCount(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

export function formatRate(value: number, unit = ''): string {
  const suffix = unit && ` ${unit}`;
  if (value >= 1e6) return `${(value / 1e6).toFixed(2)} M/s${suffix}`;
  if (value >= 10_000) return `${(value / 1e3).toFixed(1)} k/s${suffix}`;
  return `${value >= 100 || Number.isInteger(value) ? Math.round(value) : value.toFixed(1)}/s${suffix}`;
}

export function formatMs(value: number): string {
  if (Number.isNaN(value)) return '-';
  if (value >= 10_000) return `${(value / 1000).toFixed(1)} s`;
  if (value >= 1_000) return `${(value / 1000).toFixed(2)} s`;
  return `${value >= 100 || Number.isInteger(value) ? Math.round(value) : value.toFixed(2)} ms`;
}

export function formatBytes(value: number): string {
  if (value >= 2 ** 30) return `${(value / 2 ** 30).toFixed(2)} GiB`;
  if (value >= 2 ** 20) return `${(value / 2 ** 20).toFixed(value >= 100 * 2 ** 20 ? 0 : 1)} MiB`;
  if (value >= 10_240) return `${(value / 1024).toFixed(1)} KiB`;
  return `${Math.round(value)} B`;
}

export function formatPercent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

/** Colours, if the terminal has them. */
export interface Paint {
  red(text: string): string;
  green(text: string): string;
  dim(text: string): string;
  bold(text: string): string;
}

export function painter(hasColours: boolean): Paint {
  const wrap = (code: number) => (text: string) => (hasColours ? `\x1b[${code}m${text}\x1b[0m` : text);
  return { red: wrap(31), green: wrap(32), dim: wrap(2), bold: wrap(1) };
}
