import { setImmediate as nextTurn } from 'node:timers/promises';
import { RAW_DIALECTS } from '@fanfare/protocol/raw';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../../test/support/manual-clock.js';
import type { Identity } from '../../auth/authenticator.js';
import { NO_PERMISSIONS } from '../../auth/permissions.js';
import { FanfareError } from '../../errors.js';
import { createStats } from '../../stats.js';
import type { Client } from '../client.js';
import { FrameGuard } from '../frame-guard.js';
import type { Charge } from '../rates.js';
import { FanfareSpeaker } from './speaker.js';

const OFF = Number.POSITIVE_INFINITY;
const LIMITS = { commandsPerSecond: OFF, bytesPerSecond: OFF, publishesPerSecond: OFF, subscriptions: 2 };
const ADA: Identity = { user: 'ada', grants: NO_PERMISSIONS };

/** @param authenticate answers `connect` */
function setUp(authenticate: (token: string | undefined) => Identity | Promise<Identity> = () => ADA) {
  const clock = new ManualClock(0);
  const told: string[] = [];
  const charges: Charge[] = [];
  const state = { isClosed: false };
  const client = {
    id: 's1',
    dialect: RAW_DIALECTS.json,
    openedAtMs: 0,
    get isClosed() {
      return state.isClosed;
    },
    guard: new FrameGuard(LIMITS, clock),
    authenticate,
    identify: ({ user }: Identity) => told.push(`identified ${user}`),
    isGranted(_: number | undefined, charge: Charge) {
      charges.push(charge);
      return true;
    },
    run: ({ frame }: { frame: { type: string; id: number } }) => told.push(`run ${frame.type} ${frame.id}`),
    reply: ({ type }: { type: string }) => told.push(type),
    replyError: (id: number | undefined, { code }: FanfareError) => told.push(`error ${id} ${code}`),
    close(code: number) {
      state.isClosed = true;
      told.push(`close ${code}`);
    },
  };
  const speaker = new FanfareSpeaker(client as unknown as Client, 'from the URL', {
    node: 'n1',
    clock,
    stats: createStats(),
    maxFrameBytes: 200,
    pingIntervalMs: 25_000,
    resumeGraceMs: 10_000,
    idempotencyMs: 300_000,
    onFault: (message) => told.push(`fault: ${message}`),
  });
  const say = (frame: unknown) =>
    speaker.onMessage(Buffer.from(typeof frame === 'string' ? frame : JSON.stringify(frame)), false);
  return { clock, told, charges, say, speaker };
}

const connect = { type: 'connect', id: 1 };
const subscribe = (id: number, more = {}) => ({ type: 'subscribe', id, channel: 'a', ...more });

describe('a connection', () => {
  it('begins with connect, and takes the token of that, else the one of the URL', () => {
    const tokens: (string | undefined)[] = [];
    for (const frame of [{ ...connect, token: 'own' }, connect]) {
      const { say, told } = setUp((token) => {
        tokens.push(token);
        return ADA;
      });
      say(frame);
      expect(told).toEqual(['connected', 'identified ada']);
    }
    expect(tokens).toEqual(['own', 'from the URL']);
  });

  it('that begins with something else ends', () => {
    for (const frame of [subscribe(1), '{', { type: 'new thing', id: 1 }]) {
      const { say, told } = setUp();
      say(frame);
      expect(told.at(-1)).toBe('close 4400');
    }
  });

  it('has what came behind connect run once that is accepted, in order', async () => {
    const { say, told } = setUp(async () => ADA);
    say(connect);
    say(subscribe(2));
    say(subscribe(3));
    expect(told).toEqual([]);
    await nextTurn();
    expect(told).toEqual(['connected', 'identified ada', 'run subscribe 2', 'run subscribe 3']);
  });

  it('has not everything kept for it meanwhile', () => {
    const { say, told } = setUp(() => new Promise(() => {}));
    say(connect);
    for (let n = 2; n < 2_000 && told.length === 0; n++) say(subscribe(n));
    expect(told.at(-1)).toBe('close 4400');
  });

  it('connects once', () => {
    const { say, told } = setUp();
    say(connect);
    say({ ...connect, id: 2 });
    expect(told.slice(2)).toEqual(['error 2 bad_request']);
  });
});

describe('a client that is refused', () => {
  it.each([
    [new FanfareError('unauthorized', 'no'), 4401],
    [new FanfareError('token_expired', 'no'), 4401],
    [new FanfareError('forbidden', 'no'), 4403],
    [new FanfareError('limit_exceeded', 'no'), 4429],
    [new FanfareError('unavailable', 'no'), 4003],
  ])('is told why, and by the close whether to come again: %s', async (error, code) => {
    for (const refuse of [() => Promise.reject(error), () => thrown(error)]) {
      const { say, told } = setUp(refuse);
      say(connect);
      say(subscribe(2));
      await nextTurn();
      expect(told).toContain(`close ${code}`);
      expect(told).not.toContain('run subscribe 2');
    }
  });

  it('by a fault of ours hears nothing of that, and may come again', () => {
    const { say, told } = setUp(() => thrown(new Error('a secret')));
    say(connect);
    expect(told).toEqual(['fault: authentication failed', 'error 1 internal', 'close 4003']);
  });
});

describe('a frame', () => {
  it('of a type that this gateway does not know is answered, and ends nothing', () => {
    const { say, told } = setUp();
    say(connect);
    for (let n = 2; n < 100; n++) say({ type: 'new thing', id: n });
    expect(told.filter((one) => one.startsWith('close'))).toEqual([]);
    expect(told.at(-1)).toBe('error 99 bad_request');
  });

  it.each([
    ['that is none', '{', 4400],
    ['of the other kind of message', undefined, 4400],
    ['that is too large', JSON.stringify(subscribe(2, { x: 'x'.repeat(200) })), 4409],
  ])('%s is answered, and the tenth ends the connection', (_, text, code) => {
    const { say, told, speaker } = setUp();
    say(connect);
    const wrong = () => (text === undefined ? speaker.onMessage(Buffer.from('{}'), true) : say(text));
    for (let n = 1; n < 10; n++) wrong();
    expect(told.some((one) => one.startsWith('close'))).toBe(false);
    wrong();
    expect(told.at(-1)).toBe(`close ${code}`);
  });

  it('counts as what it is: a pong as no command, a publish as one of its own, a resume as free for a while', () => {
    const { say, charges } = setUp();
    const since = { since: { epoch: '1', offset: 1 } };
    say(connect);
    say({ type: 'pong' });
    say({ type: 'publish', id: 2, channel: 'a', data: 1 });
    say(subscribe(3));
    for (const id of [4, 5, 6]) say(subscribe(id, since));
    expect(charges.map(({ isCommand, isPublish }) => [isCommand, isPublish].map(Number).join(''))).toEqual([
      '00',
      '11',
      '10',
      // As many as it may be on; then it is a command like any other.
      '00',
      '00',
      '10',
    ]);
    const late = setUp();
    late.say(connect);
    late.clock.advance(10_000);
    late.say(subscribe(2, since));
    expect(late.charges).toMatchObject([{ isCommand: true }]);
  });
});

function thrown(error: Error): never {
  throw error;
}
