import type { ErrorCode } from '@fanfare/protocol';
import type { Authenticator, ChannelGrant, Identity } from '../auth/authenticator.js';
import { ANONYMOUS } from '../auth/open.js';
import { FanfareError } from '../errors.js';

/**
 * The users of a test, as an authenticator. A token is the name of a user and a number, which counts up:
 * `expire` makes all numbers so far expire.
 */
export class TestUsers implements Authenticator {
  readonly #issued = new Map<string, number>();
  /** Tokens up to this number have expired, by user. */
  readonly #expired = new Map<string, number>();
  /** Says for each connection with which code it is refused; `undefined`: it is not. */
  readonly #refusal: () => ErrorCode | undefined;

  constructor(refusal: () => ErrorCode | undefined) {
    this.#refusal = refusal;
  }

  /** The users that were given a token. */
  get names(): Iterable<string> {
    return this.#issued.keys();
  }

  issue(user: string): string {
    const number = (this.#issued.get(user) ?? 0) + 1;
    this.#issued.set(user, number);
    return `${user}#${number}`;
  }

  /** Makes all tokens expire that the user has been given. */
  expire(user: string): void {
    this.#expired.set(user, this.#issued.get(user) ?? 0);
  }

  authenticate({ token }: { readonly token: string | undefined }): Identity {
    const code = this.#refusal();
    if (code) throw new FanfareError(code, 'refused by the test');
    return this.#read(token);
  }

  async readChannelToken(token: string): Promise<ChannelGrant> {
    return this.#read(token);
  }

  #read(token: string | undefined): Identity {
    const [, user, number] = /^(.*)#(\d+)$/s.exec(token ?? '') ?? [];
    if (user === undefined) return ANONYMOUS;
    if (Number(number) <= (this.#expired.get(user) ?? 0))
      throw new FanfareError('token_expired', 'the token has expired');
    return { ...ANONYMOUS, user };
  }
}
