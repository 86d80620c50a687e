import { readClaims } from '../auth/claims.js';
import type { Clock } from '../clock.js';
import { FanfareError } from '../errors.js';
import type { Assembly } from '../fleet/fleet.js';
import type { Stats } from '../stats.js';
import type { ControlCalls, NewPermissions, Reached, SessionsAnswer, Target } from './calls.js';
import type { LocalControl } from './local.js';
import type { Revocation } from './revocation.js';
import type { Revocations } from './revocations.js';

interface ControlOptions {
  readonly fleet: Assembly;
  readonly local: LocalControl;
  readonly revocations: Revocations;
  readonly clock: Pick<Clock, 'wall'>;
  readonly stats: Stats;
}

/** The answer of a gateway that was asked to do something. */
interface Share {
  readonly connections: number;
}

type ListShare = ReturnType<LocalControl['list']>;

/**
 * The questions that gateways ask each other for control calls. They only ever get further fields, because gateways of
 * different versions talk to each other.
 */
interface Questions {
  readonly disconnect: { readonly target: Target; readonly reconnect: boolean };
  readonly unsubscribe: { readonly target: Target; readonly channel: string };
  readonly refresh: { readonly target: Target; readonly permissions: NewPermissions };
  readonly revoke: Revocation;
}

/** Control over the connections of all gateways. */
export class Control implements ControlCalls {
  readonly #fleet: Assembly;
  readonly #revocations: Revocations;
  readonly #clock: Pick<Clock, 'wall'>;

  constructor({ fleet, local, revocations, clock, stats }: ControlOptions) {
    this.#fleet = fleet;
    this.#revocations = revocations;
    this.#clock = clock;
    const answer = <Name extends keyof Questions>(name: Name, act: (query: Questions[Name]) => number) =>
      fleet.answer(name, (query: Questions[Name]): Share => {
        const connections = act(query);
        stats.controlled.set(name, (stats.controlled.get(name) ?? 0) + connections);
        return { connections };
      });
    answer('disconnect', ({ target, reconnect }) => local.disconnect(target, reconnect));
    answer('unsubscribe', ({ target, channel }) => local.unsubscribe(target, channel));
    answer('refresh', ({ target, permissions }) => local.refresh(target, permissions));
    answer('revoke', (revocation) => {
      const reached = local.revoke(revocation);
      revocations.add(revocation);
      return reached;
    });
    fleet.answer('sessions', ({ target }: { target: Target }): ListShare => local.list(target));
  }

  disconnect(target: Target, reconnect: boolean): Promise<Reached> {
    return this.#reach('disconnect', { target, reconnect });
  }

  unsubscribe(target: Target, channel: string): Promise<Reached> {
    return this.#reach('unsubscribe', { target, channel });
  }

  async refresh(target: Target, permissions: NewPermissions): Promise<Reached> {
    try {
      const { channels, subscribe } = permissions;
      readClaims({ channels, subscribe });
    } catch (error) {
      throw new FanfareError('bad_request', (error as Error).message);
    }
    return this.#reach('refresh', { target, permissions });
  }

  async revoke(
    what: { readonly user: string } | { readonly jti: string },
    ttlMs: number,
  ): Promise<Reached & { readonly until: number }> {
    const atMs = Math.round(this.#clock.wall());
    const named = 'user' in what ? { kind: 'user' as const, id: what.user } : { kind: 'token' as const, id: what.jti };
    const revocation: Revocation = { ...named, atMs, untilMs: atMs + ttlMs };
    // This goes first, so that a gateway that is not reached now, or starts later, finds the revocation in the store.
    await this.#revocations.keep(revocation);
    const reached = await this.#reach('revoke', revocation);
    return { ...reached, until: revocation.untilMs };
  }

  async sessions(target: Target): Promise<SessionsAnswer> {
    const { shares, missing } = await this.#fleet.ask<{ target: Target }, ListShare>('sessions', { target });
    const sessions = shares.flatMap((share) => share.sessions).sort((a, b) => a.connectedAt - b.connectedAt);
    return { sessions, count: shares.reduce((sum, { count }) => sum + count, 0), missing };
  }

  async #reach<Name extends keyof Questions>(name: Name, query: Questions[Name]): Promise<Reached> {
    const { shares, missing } = await this.#fleet.ask<Questions[Name], Share>(name, query);
    return { connections: shares.reduce((sum, { connections }) => sum + connections, 0), missing };
  }
}
