/** The `fanfare` program: the only place that reads the environment and exits. Workers take their end from the primary. */
import { runCommand } from './cli/commands.js';

const STOP_SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** The first signal asks to stop; a second one ends the process at once. */
function untilStopped(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of STOP_SIGNALS) {
      process.once(signal, () => {
        for (const again of STOP_SIGNALS) process.on(again, () => process.exit(130));
        resolve(signal);
      });
    }
  });
}

// No timer of the clock keeps the process alive, and a closing gateway may have nothing but such timers left.
setInterval(() => {}, 2 ** 31 - 1);

const exitCode = await runCommand(process.argv.slice(2), {
  env: process.env,
  cwd: process.cwd(),
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  untilStopped,
});
process.exit(exitCode);
