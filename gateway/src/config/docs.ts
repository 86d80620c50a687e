/** The tables of settings as people read them: `--help`, and the tables of docs/CONFIGURATION.md. */
import { NAMESPACE_SETTINGS } from './namespace-settings.js';
import { type PlacedSetting, placed, type Setting } from './setting.js';
import { SETTINGS } from './settings.js';
import { CONFIG_FILE } from './sources.js';
import { formatDuration } from './types.js';

const FLAG_WIDTH = 33;
const LINE_WIDTH = 100;

/** The flags of `serve`, `config` and `check`, each with its variables. */
export function settingsHelp(): string {
  const flags = placed(SETTINGS).flatMap(({ flag, variables, about }) =>
    flag ? [helpOf(flag, about), helpOf('', variables.join(', '))] : [],
  );
  return [
    `Flags win over the environment, the environment over the file (${CONFIG_FILE}, or --config <file>).`,
    'Namespaces stand in the file. docs/CONFIGURATION.md says more.',
    '',
    helpOf('--config', 'the file'),
    ...flags,
  ].join('\n');
}

function helpOf(flag: string, text: string): string {
  const lines: string[] = [];
  for (const word of text.replaceAll('`', '').split(' ')) {
    const line = lines.at(-1);
    if (line !== undefined && FLAG_WIDTH + line.length + 1 + word.length <= LINE_WIDTH)
      lines[lines.length - 1] += ` ${word}`;
    else lines.push(word);
  }
  const indented = lines.join(`\n${' '.repeat(FLAG_WIDTH)}`);
  return flag.length > FLAG_WIDTH - 4
    ? `  ${flag}\n${' '.repeat(FLAG_WIDTH)}${indented}`
    : `  ${flag.padEnd(FLAG_WIDTH - 2)}${indented}`;
}

/** A page with its generated tables brought up to date. Each is between `<!-- name -->` and `<!-- /name -->`. */
export function withTables(page: string): string {
  return Object.entries(tables()).reduce(
    (text, [name, table]) =>
      text.replace(
        new RegExp(`(<!-- ${name} -->\n)[^]*?(<!-- /${name} -->)`),
        (_, start, end) => `${start}\n${table}\n\n${end}`,
      ),
    page,
  );
}

function tables(): Readonly<Record<string, string>> {
  const withFlags = placed(SETTINGS).filter(({ flag }) => flag !== undefined);
  const isLimit = ({ path }: PlacedSetting) => path[0] === 'limits';
  const rows = (settings: readonly PlacedSetting[]) =>
    tableOf(
      ['file', 'flag', 'environment', 'default', ''],
      settings.map((one) => [
        code(one.path.join('.')),
        code(one.flag ?? ''),
        one.variables.map(code).join(', '),
        defaultOf(one),
        one.about,
      ]),
    );
  return {
    settings: rows(withFlags.filter((one) => !isLimit(one))),
    limits: rows(withFlags.filter(isLimit)),
    namespaces: tableOf(
      ['in a namespace', 'default', ''],
      placed(NAMESPACE_SETTINGS).map((one) => [code(one.path.join('.')), defaultOf(one), one.about]),
    ),
  };
}

function defaultOf({ fallback, type }: Setting): string {
  if ('derived' in fallback) return fallback.derived;
  const { development, production } = fallback;
  const show = (value: unknown): string => {
    if (value === undefined || (Array.isArray(value) && value.length === 0)) return 'none';
    if (value === 0 && type.off !== undefined) return 'off';
    // API keys are objects here, while people write the key alone.
    if (Array.isArray(value)) return value.map((item) => code(String(item.key ?? item))).join(', ');
    if (type.unit === 'ms') return code(formatDuration(value as number));
    return `${code(String(value))}${type.unit ? ` ${type.unit}` : ''}`;
  };
  if (development === production) return show(production);
  return `${show(production)}; in development ${show(development)}`;
}

function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cell = (text: string) => (text === '' ? '' : `${text.replaceAll('|', '\\|')} `);
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join('| ')}|`;
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n');
}

function code(text: string): string {
  return `\`${text}\``;
}
