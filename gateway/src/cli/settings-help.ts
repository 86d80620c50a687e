import { SETTINGS } from '../config-settings.js';
import { CONFIG_FILE } from '../config-sources.js';

/** The flags of `serve`, `config` and `check`, each with its variable. */
export function settingsHelp(): string {
  const flags = SETTINGS.filter((setting) => setting.about !== undefined).map(
    ({ flag, variables, about }) => `  ${flag.padEnd(31)}${about}\n${' '.repeat(33)}${variables.join(', ')}`,
  );
  return [
    `Flags win over the environment, the environment over the file (${CONFIG_FILE}, or --config <file>).`,
    'Namespaces stand in the file. docs/CONFIGURATION.md says what each setting means.',
    '',
    `  ${'--config'.padEnd(31)}the file`,
    ...flags,
  ].join('\n');
}
