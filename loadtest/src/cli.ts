/** `fanfare-load`: the one place that reads arguments and ends the process. */
import { AGENT_USAGE, agentCommand } from './cli/agent-command.js';
import { BENCH_USAGE, benchCommand } from './cli/bench-command.js';
import { COMPARE_USAGE, compareCommand } from './cli/compare-command.js';
import { UsageError } from './cli/flags.js';
import { RUN_USAGE, runCommand } from './cli/run-command.js';
import { SIZING_USAGE, sizingCommand } from './cli/sizing-command.js';
import { SURVIVE_USAGE, surviveCommand } from './cli/survive-command.js';
import { VERIFY_USAGE, verifyCommand } from './cli/verify-command.js';
import { ScenarioError } from './scenario/load-scenario.js';

interface Command {
  readonly usage: string;
  /** Resolves with the exit code. */
  run(args: readonly string[]): Promise<number>;
}

const COMMANDS: Readonly<Record<string, Command>> = {
  run: { usage: RUN_USAGE, run: runCommand },
  verify: { usage: VERIFY_USAGE, run: verifyCommand },
  compare: { usage: COMPARE_USAGE, run: compareCommand },
  sizing: { usage: SIZING_USAGE, run: sizingCommand },
  agent: { usage: AGENT_USAGE, run: agentCommand },
  bench: { usage: BENCH_USAGE, run: benchCommand },
  survive: { usage: SURVIVE_USAGE, run: surviveCommand },
};

async function main([name, ...args]: readonly string[]): Promise<number> {
  const usage = Object.values(COMMANDS)
    .map((command) => command.usage)
    .join('\n');
  if (name === undefined || name === '--help' || name === 'help') {
    process.stdout.write(usage);
    return name === undefined ? 2 : 0;
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!command) {
    process.stderr.write(`unknown command: ${name}\n\n${usage}`);
    return 2;
  }
  if (args.includes('--help')) {
    process.stdout.write(command.usage);
    return 0;
  }
  try {
    return await command.run(args);
  } catch (error) {
    const { message } = error as Error;
    if (error instanceof UsageError) process.stderr.write(`${message}\n\n${command.usage}`);
    else process.stderr.write(`fanfare-load: ${message}\n`);
    return error instanceof UsageError || error instanceof ScenarioError ? 2 : 1;
  }
}

process.exit(await main(process.argv.slice(2)));
