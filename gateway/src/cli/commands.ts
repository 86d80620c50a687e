import { ConfigError, formatProblem } from '../config/config.js';
import { VERSION } from '../version.js';
import { check } from './check.js';
import { type Command, type ExitCode, type Io, UsageError } from './command.js';
import { config } from './config.js';
import { health } from './health.js';
import { publish } from './publish.js';
import { serve } from './serve.js';
import { tail } from './tail.js';
import { token } from './token.js';
import { webhooks } from './webhooks.js';
import { why } from './why.js';

const COMMANDS: readonly Command[] = [serve, publish, tail, token, config, check, health, webhooks, why];

/** Runs one command to its end. What went wrong is written to `io.err`, in plain lines. */
export async function runCommand(argv: readonly string[], io: Io): Promise<ExitCode> {
  const [name = '', ...rest] = argv;
  const command = COMMANDS.find((one) => one.name === name);
  if (name === '--version' || name === '-v') {
    io.out(`${VERSION}\n`);
    return 0;
  }
  if (!command) {
    const asked = name === '--help' || name === '-h' || name === 'help';
    if (asked) io.out(overview());
    else io.err(`${name === '' ? '' : `fanfare: no command "${name}"\n\n`}${overview()}`);
    return asked ? 0 : 2;
  }
  if (rest.includes('--help') || rest.includes('-h')) {
    io.out(helpOf(command));
    return 0;
  }
  try {
    return await command.run(rest, io);
  } catch (error) {
    return explain(error, command, io);
  }
}

function explain(error: unknown, command: Command, io: Io): ExitCode {
  if (error instanceof ConfigError) {
    io.err(`fanfare: the configuration has ${error.problems.length} problem(s)\n`);
    for (const problem of error.problems) io.err(`  ${formatProblem(problem)}\n`);
    return 2;
  }
  if (error instanceof UsageError) {
    io.err(`fanfare ${command.name}: ${error.message}\nusage: fanfare ${command.name} ${command.usage}\n`);
    return 2;
  }
  io.err(`fanfare ${command.name}: ${error instanceof Error ? error.message : String(error)}\n`);
  return 1;
}

function overview(): string {
  const lines = COMMANDS.map(({ name, about }) => `  ${name.padEnd(10)}${about}`);
  return `usage: fanfare <command> [flags]\n\n${lines.join('\n')}\n\nfanfare <command> --help says more.\n`;
}

function helpOf({ name, usage, about, details }: Command): string {
  return `usage: fanfare ${name} ${usage}\n\n${about}\n\n${details}\n`;
}
