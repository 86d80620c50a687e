import type { Writable } from 'node:stream';
import type { Clock } from '../clock.js';

/** Most bytes of lines that wait for a reader that stands still. */
const MAX_WAITING_BYTES = 1024 * 1024;
/** How long no line is written after one could not be written, ms. */
const RETRY_MS = 1_000;

/**
 * Where log lines leave the process. Whatever becomes of them there (the reader of a pipe is gone or
 * stands still, the disk is full, the terminal is closed), the process goes on: such lines are dropped
 * and counted, and it is tried again, since a disk gets room and a FIFO a new reader.
 */
export class LogStream {
  /** Lines that were dropped so far. */
  lost = 0;
  /** Called with the reason when a line is lost for the first time. */
  onLoss: (reason: string) => void = () => {};
  /** Called before the first line that is tried after a loss, with how many were lost. It may log. */
  onRecovery: (lost: number) => void = () => {};
  readonly #stream: Writable;
  readonly #clock: Pick<Clock, 'now'>;
  #retryAt = 0;
  #toldLost = 0;

  constructor(stream: Writable, clock: Pick<Clock, 'now'>) {
    this.#stream = stream;
    this.#clock = clock;
    // The callback of each write is told what failed. Without this listener an error would end the process.
    stream.on('error', () => {});
  }

  write(line: string): void {
    if (this.#clock.now() < this.#retryAt) {
      this.lost++;
    } else if (this.#stream.writableLength >= MAX_WAITING_BYTES) {
      this.#lose('nobody reads it');
    } else {
      if (this.lost > this.#toldLost) {
        this.#toldLost = this.lost;
        this.onRecovery(this.lost);
      }
      this.#stream.write(line, (error) => {
        if (!error) return;
        this.#retryAt = this.#clock.now() + RETRY_MS;
        this.#lose(error.message);
      });
    }
  }

  #lose(reason: string): void {
    if (++this.lost === 1) this.onLoss(reason);
  }
}
