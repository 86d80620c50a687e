/** Commands as Redis reads them: https://redis.io/docs/latest/develop/reference/protocol-spec/#arrays */

/** One argument of a Redis command. Numbers are sent in decimal. */
export type CommandArgument = string | Buffer | number;

/** A Redis command, encoded for the connection. */
export interface Command {
  /** Name of the command, for whoever treats replies by it. */
  readonly name: string;
  readonly bytes: Buffer;
}

/** Arguments that are encoded already, and how many they are. */
export interface EncodedArguments {
  readonly count: number;
  readonly bytes: Buffer;
}

/** Gathers the arguments of a command in one buffer, and copies each only once. */
export class CommandWriter {
  readonly #parts: (string | Buffer)[] = [];
  #count = 0;
  #bytes = 0;

  add(argument: CommandArgument): this {
    this.#count++;
    if (typeof argument === 'object') {
      this.#write(`$${argument.length}\r\n`);
      this.#parts.push(argument, '\r\n');
      this.#bytes += argument.length + 2;
    } else {
      const text = String(argument);
      this.#write(`$${Buffer.byteLength(text)}\r\n${text}\r\n`);
    }
    return this;
  }

  addEncoded({ count, bytes }: EncodedArguments): this {
    this.#count += count;
    this.#parts.push(bytes);
    this.#bytes += bytes.length;
    return this;
  }

  encoded(): EncodedArguments {
    return { count: this.#count, bytes: this.#join('') };
  }

  /** Makes a command of this name from the arguments that were gathered. */
  command(name: string): Command {
    return { name, bytes: this.#join(`*${this.#count + 1}\r\n$${name.length}\r\n${name}\r\n`) };
  }

  #write(text: string): void {
    this.#parts.push(text);
    this.#bytes += Buffer.byteLength(text);
  }

  #join(head: string): Buffer {
    const joined = Buffer.allocUnsafe(head.length + this.#bytes);
    let at = joined.write(head, 'latin1');
    for (const part of this.#parts) {
      if (typeof part === 'string') at += joined.write(part, at);
      else {
        joined.set(part, at);
        at += part.length;
      }
    }
    return joined;
  }
}

/** Encodes a command with a few arguments; {@link CommandWriter} is for many. */
export function command(name: string, ...args: readonly CommandArgument[]): Command {
  const writer = new CommandWriter();
  for (const argument of args) writer.add(argument);
  return writer.command(name);
}
