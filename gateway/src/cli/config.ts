import { loadConfig } from '../config/config.js';
import { settingsHelp } from '../config/docs.js';
import { describeConfig } from '../config/print.js';
import { warningsOf } from '../config/warnings.js';
import type { Command } from './command.js';

export const config: Command = {
  name: 'config',
  usage: '[flags]',
  about: 'Prints the configuration as `serve` would use it, as JSON, secrets hidden; warnings on stderr.',
  details: settingsHelp(),
  async run(argv, { env, cwd, out, err }) {
    const config = loadConfig({ argv, env, cwd });
    out(`${JSON.stringify(describeConfig(config), null, 2)}\n`);
    for (const warning of warningsOf(config)) err(`warning: ${warning}\n`);
    return 0;
  },
};
