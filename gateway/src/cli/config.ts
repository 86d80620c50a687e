import { loadConfig } from '../config/config.js';
import { settingsHelp } from '../config/docs.js';
import { describeConfig } from '../config/print.js';
import type { Command } from './command.js';

export const config: Command = {
  name: 'config',
  usage: '[flags]',
  about: 'Prints the configuration as `serve` would use it, as JSON, secrets hidden.',
  details: settingsHelp(),
  async run(argv, { env, cwd, out }) {
    out(`${JSON.stringify(describeConfig(loadConfig({ argv, env, cwd })), null, 2)}\n`);
    return 0;
  },
};
