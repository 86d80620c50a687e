const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/**
 * Walks through a JSON text to find where values start and end. `JSON.parse` must have accepted the text before. It
 * takes one pass without recursion, and strings are skipped natively.
 */
export class JsonCursor {
  readonly text: string;
  /** Index in the text at which the cursor stands. */
  at = 0;

  constructor(text: string) {
    this.text = text;
  }

  /** Whether an array starts at the next value. */
  atArray(): boolean {
    return this.#nextUnit() === OPEN_BRACKET;
  }

  /** Whether an object starts at the next value. */
  atObject(): boolean {
    return this.#nextUnit() === OPEN_BRACE;
  }

  /** Goes through the members of the object at the cursor. `visit` must step over the value. */
  eachMember(visit: (key: string) => void): void {
    this.#nextUnit();
    this.at++;
    while (this.#nextUnit() !== CLOSE_BRACE) {
      if (this.text.charCodeAt(this.at) === COMMA) {
        this.at++;
        this.#nextUnit();
      }
      const start = this.at;
      this.#skipString();
      const key = this.text.slice(start + 1, this.at - 1);
      this.#nextUnit();
      this.at++;
      visit(key.includes('\\') ? (JSON.parse(`"${key}"`) as string) : key);
    }
    this.at++;
  }

  /** Goes through the elements of the array at the cursor. `visit` must step over the element. */
  eachElement(visit: (index: number) => void): void {
    this.#nextUnit();
    this.at++;
    for (let index = 0; this.#nextUnit() !== CLOSE_BRACKET; index++) {
      if (this.text.charCodeAt(this.at) === COMMA) this.at++;
      visit(index);
    }
    this.at++;
  }

  /** Steps over the next value. Returns where it starts, and how deep arrays and objects nest in it. */
  skipValue(): { readonly start: number; readonly depth: number } {
    const unit = this.#nextUnit();
    const start = this.at;
    if (unit === QUOTE) this.#skipString();
    else if (unit === OPEN_BRACE || unit === OPEN_BRACKET) return { start, depth: this.#skipNested() };
    else this.#skipLiteral();
    return { start, depth: 0 };
  }

  #skipNested(): number {
    let depth = 0;
    let deepest = 0;
    do {
      switch (this.text.charCodeAt(this.at)) {
        case QUOTE:
          this.#skipString();
          continue;
        case OPEN_BRACE:
        case OPEN_BRACKET:
          depth++;
          if (depth > deepest) deepest = depth;
          break;
        case CLOSE_BRACE:
        case CLOSE_BRACKET:
          depth--;
      }
      this.at++;
    } while (depth > 0);
    return deepest;
  }

  /** Steps over a string. A quote ends it unless an odd number of backslashes is before it. */
  #skipString(): void {
    let quote = this.at;
    let backslashes: number;
    do {
      quote = this.text.indexOf('"', quote + 1);
      backslashes = 0;
      while (this.text.charCodeAt(quote - 1 - backslashes) === BACKSLASH) backslashes++;
    } while (backslashes % 2 === 1);
    this.at = quote + 1;
  }

  /** Steps over a number, `true`, `false` or `null`. */
  #skipLiteral(): void {
    for (; this.at < this.text.length; this.at++) {
      const unit = this.text.charCodeAt(this.at);
      if (unit === COMMA || unit === CLOSE_BRACE || unit === CLOSE_BRACKET || unit <= 0x20) return;
    }
  }

  /** Steps over white space. Returns the code unit behind it. */
  #nextUnit(): number {
    let unit = this.text.charCodeAt(this.at);
    while (unit <= 0x20) unit = this.text.charCodeAt(++this.at);
    return unit;
  }
}
