import type { Position } from '@fanfare/protocol';
import type { Contender } from '../servers/contender.js';
import { RawConnection } from './raw-connection.js';
import { sequencesIn } from './reader.js';
import { dataFrame } from './websocket-frames.js';

/** What a join replays. */
export interface Replay {
  readonly since: Position;
  /** How many messages there are behind it, numbered from 1 on. */
  readonly messages: number;
}

/** A connection that joins one channel after the other. Nothing may arrive but answers and what the joins replay. */
export class Joiner {
  readonly #connection: RawConnection;
  readonly #contender: Contender;
  readonly #refuse: (error: Error) => void;
  #isAnswered = false;
  /** How many messages of the replay have come. */
  #replayed = 0;
  #expected = 0;
  #onJoined: () => void = () => {};

  private constructor(contender: Contender, onOpen: () => void, onFault: (error: Error) => void) {
    const { url, subprotocol = '', greeting, ready, answers } = contender.connect();
    this.#contender = contender;
    this.#refuse = (error) => onFault(new Error(`${contender.name}: ${error.message}`));
    this.#connection = new RawConnection(
      { url: new URL(url), subprotocol },
      {
        onOpen: () => {
          for (const frame of greeting) this.#connection.send(frame);
          if (ready === undefined) onOpen();
        },
        onMessage: (bytes, begin, end) => {
          const text = bytes.toString('utf8', begin, end);
          const answer = answers.find(([start]) => text.startsWith(start));
          if (answer) this.#connection.send(answer[1]);
          else if (ready !== undefined && text.startsWith(ready)) onOpen();
          else this.#take(text);
        },
        onClose: (code, reason) => this.#refuse(new Error(`a joiner was closed: ${code} ${reason}`)),
      },
    );
  }

  /** Opens a joiner. `onFault` is called with whatever goes wrong from then on. Rejects if it is not accepted. */
  static open(contender: Contender, onFault: (error: Error) => void): Promise<Joiner> {
    return new Promise((resolve, reject) => {
      const joiner: Joiner = new Joiner(
        contender,
        () => resolve(joiner),
        (error) => {
          reject(error);
          onFault(error);
        },
      );
    });
  }

  /** Joins a channel. Resolves when that is answered and all that it replays has come. */
  join(channel: string, replay?: Replay): Promise<void> {
    this.#isAnswered = false;
    this.#replayed = 0;
    this.#expected = replay?.messages ?? 0;
    this.#connection.write(dataFrame(this.#contender.join(channel, replay?.since)));
    return new Promise((resolve) => {
      this.#onJoined = resolve;
    });
  }

  close(): void {
    this.#connection.destroy();
  }

  #take(text: string): void {
    if (text.startsWith(this.#contender.joined) && !this.#isAnswered) {
      this.#isAnswered = true;
    } else {
      const sequences = this.#isAnswered ? sequencesIn(text) : [];
      const isNext = sequences.every((sequence) => sequence === ++this.#replayed);
      if (sequences.length === 0 || !isNext || this.#replayed > this.#expected)
        this.#refuse(new Error(`a joiner that had ${this.#replayed} of ${this.#expected} messages was sent ${text}`));
    }
    if (this.#isAnswered && this.#replayed === this.#expected) this.#onJoined();
  }
}
