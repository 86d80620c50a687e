/** The `fanfare` program: the only place that reads the environment and exits. Workers take their end from the primary. */
import { runCommand } from './cli/commands.js';
import { sleep, systemClock } from './clock.js';
import { LogStream } from './observability/log-stream.js';

/** How long the reader of a pipe may take for the last output, ms. */
const FLUSH_TIMEOUT_MS = 2_000;

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

/**
 * Ends the program when the results cannot be written. A reader that is gone has had enough (`| head`); after any other
 * failure some results are lost.
 */
function endUnread(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(0);
  process.stderr.write(`fanfare: cannot write: ${error.message}\n`);
  process.exit(1);
}

/**
 * Resolves once everything is written. `process.exit` would drop what a pipe has not taken yet. A reader that takes
 * nothing for a while is not waited for.
 */
async function flushed(): Promise<void> {
  // A failure is reported one turn later.
  await new Promise(setImmediate);
  if (process.stdout.writableLength === 0) return;
  const written = new Promise<void>((resolve) => process.stdout.write('', () => resolve()));
  await Promise.race([written, sleep(systemClock, FLUSH_TIMEOUT_MS)]);
}

// No timer of the clock keeps the process alive, and a closing gateway may have nothing but such timers left.
setInterval(() => {}, 2 ** 31 - 1);

process.stderr.on('error', () => {});
const exitCode = await runCommand(process.argv.slice(2), {
  env: process.env,
  cwd: process.cwd(),
  out(text) {
    if (process.stdout.listenerCount('error') === 0) process.stdout.on('error', endUnread);
    process.stdout.write(text);
  },
  err: (text) => void process.stderr.write(text),
  openLog: () => new LogStream(process.stdout, systemClock),
  untilStopped,
});
await flushed();
process.exit(exitCode);
