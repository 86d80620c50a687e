import type { Dialect, ResetReason, Wire } from '@fanfare/protocol';
import { compactDialect } from '@fanfare/protocol/compact';
import { jsonDialect } from '@fanfare/protocol/json';
import { msgpackDialect } from '@fanfare/protocol/msgpack';
import { type Acknowledgement, type AnyChannelLedger, type At, ChannelLedger } from './channel-ledger.js';
import { Line, type LineCounts, type LineHabits } from './line.js';
import { type Asked, type Page, refutePage, refuteReason } from './pages.js';
import { type Beginning, LiveReaderLedger, ReaderLedger } from './reader-ledger.js';
import type { VirtualGateway } from './virtual-gateway.js';
import type { VirtualSocket } from './virtual-network.js';
import type { VirtualWorld } from './virtual-world.js';

export interface ClientWorld {
  readonly world: VirtualWorld;
  readonly choose: (options: number) => number;
  readonly habits: LineHabits;
  readonly counts: LineCounts;
  /** Something happens behind the backs of the gateways, so that what they answer may be old. */
  readonly hidden: boolean;
  /** Nothing breaks. */
  readonly isCalm: boolean;
  readonly pickGateway: () => VirtualGateway;
}

const DIALECTS = [jsonDialect, msgpackDialect, compactDialect];

/** What the client's software is told of its connection. */
interface ConnectionHandlers {
  onOpen(): void;
  onMessage(wire: Wire): void;
  onClose(code: number, reason: string): void;
}

/** The client's end of a connection. */
interface ClientConnection {
  send(wire: Wire): void;
  close(code: number): void;
}

export interface Joining {
  readonly beginning: Beginning;
  /** It is read by a loop that is slow, where the client can do that. */
  readonly isSlow: boolean;
}

/** One client with its books, on lines of the virtual network. What kind of software it runs, others say. */
export abstract class SimulatedClient {
  readonly ledgers: (ReaderLedger | LiveReaderLedger)[] = [];
  readonly problems: string[] = [];
  readonly dialect: Dialect;
  protected readonly name: string;
  protected readonly around: ClientWorld;
  /** Judged so far. */
  pages = 0;
  /** Acknowledged so far. */
  published = 0;
  /** Publishes and questions without an answer. */
  protected unanswered = 0;
  #isMended = false;
  #socket: VirtualSocket | undefined;
  #line: Line | undefined;

  constructor(name: string, around: ClientWorld) {
    this.name = name;
    this.around = around;
    this.dialect = DIALECTS[around.choose(DIALECTS.length)] as Dialect;
  }

  /** Begins to read a channel, once more where it can. */
  abstract join(channel: AnyChannelLedger, joining: Joining): void;
  /** The reader that came first goes. */
  abstract leave(channel: AnyChannelLedger): void;
  /** Publishes message `n`. */
  abstract publish(channel: AnyChannelLedger, n: number, key: string | undefined): void;
  abstract ask(channel: ChannelLedger, asked: Asked): void;
  /** Slow readers take so many messages more. */
  abstract read(count: number): void;
  /** Where its readers of a channel stand. */
  abstract positionsOn(channel: ChannelLedger): readonly At[];
  /** Closes the books of what it still reads. */
  protected abstract close(): void;

  cut(): void {
    this.#socket?.cut();
  }

  freeze(): void {
    if (this.#socket) this.#socket.frozen = true;
  }

  thaw(): void {
    this.#socket?.thaw();
  }

  /** Its lines lose nothing from now on. */
  mend(): void {
    this.#isMended = true;
    if (this.#line) this.#line.isMended = true;
  }

  finish(): void {
    if (this.unanswered > 0) this.problem(`has no answer to ${this.unanswered} of its requests`);
    this.close();
  }

  protected connect(handlers: ConnectionHandlers): ClientConnection {
    const { dialect } = this;
    const { world, choose, habits, counts, pickGateway } = this.around;
    const line = new Line(world, choose, habits, {
      dialect,
      counts,
      onWire: (wire) => handlers.onMessage(wire),
      onProblem: (what) => this.problem(what),
    });
    line.isMended = this.#isMended;
    const socket = pickGateway().connect(
      {
        onOpen: () => handlers.onOpen(),
        onMessage: (wire) => line.push(wire),
        onClose: (code, reason) => {
          line.close();
          handlers.onClose(code, reason);
        },
      },
      [dialect.subprotocol],
    );
    this.#socket = socket;
    this.#line = line;
    return {
      send: (wire) => socket.fromClient(wire),
      close: (code) => {
        line.close();
        socket.closedByClient(code);
      },
    };
  }

  protected openLedger<Channel extends AnyChannelLedger>(
    channel: Channel,
  ): Channel extends ChannelLedger ? ReaderLedger : LiveReaderLedger;
  protected openLedger(channel: AnyChannelLedger): ReaderLedger | LiveReaderLedger {
    const name = `${this.name} on ${channel.spec.name}`;
    const ledger =
      channel instanceof ChannelLedger
        ? new ReaderLedger(name, channel, this.around.habits.loses)
        : new LiveReaderLedger(name, channel);
    this.ledgers.push(ledger);
    return ledger;
  }

  protected takePublished(channel: AnyChannelLedger, n: number, data: unknown, answer: Acknowledgement): void {
    this.published++;
    const problem = channel.refutes(n, answer, data);
    if (problem !== undefined) this.problem(problem);
  }

  protected takePage(channel: ChannelLedger, asked: Asked, page: Page): void {
    this.pages++;
    for (const { epoch, offset } of page.messages.slice(-1)) channel.seen = { epoch, offset };
    const problem = refutePage(channel, asked, page, !this.around.hidden);
    if (problem !== undefined) this.problem(problem);
  }

  protected takeReason(channel: ChannelLedger, asked: Asked, reason: ResetReason | undefined): void {
    this.pages++;
    const problem = refuteReason(channel, asked, reason);
    if (problem !== undefined) this.problem(problem);
  }

  /** Frames that did not follow, on lines that lose nothing. */
  protected takeMended(gaps: number, repeated: number): void {
    if (!this.around.habits.loses && gaps + repeated > 0)
      this.problem(`took ${gaps} frames for gaps and ${repeated} for repeated`);
  }

  protected problem(what: string): void {
    this.problems.push(`${this.name} ${what}`);
  }
}

export function positionOf({ epoch, offset }: Partial<Record<keyof At, unknown>>): At {
  return { epoch: epoch as string, offset: offset as number };
}
