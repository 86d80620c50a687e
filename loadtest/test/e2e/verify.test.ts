import { expect, it } from 'vitest';
import { breakGateway, MUTATIONS } from '../support/broken-gateway.js';
import { fanfareLoad, measured } from '../support/fanfare-load.js';

const TIMEOUT_MS = 180_000;
const NOTHING = { lost: 0, duplicated: 0, reordered: 0, corrupted: 0, misplaced: 0, holes: 0 };

it('verify --local standalone: faults happen, and nothing is lost', { timeout: TIMEOUT_MS }, async () => {
  const { status, stdout, result } = await measured([
    ...['verify', '--local', 'standalone', '--duration', '20s', '--every', '2500ms', '--seed', '5'],
    ...['--connections', '60', '--rate', '60'],
  ]);
  expect(status, stdout).toBe(0);
  expect(result?.audit).toMatchObject({ ...NOTHING, lostByLog: 0 });
  expect(result?.marks.filter(({ isFault }) => isFault).length).toBeGreaterThan(3);
  expect(result?.totals.acknowledged).toBe(result?.totals.published);
});

/** Few clients, few faults, and those that show the defect: a caught one is what matters, not how fast. */
const SHORT = ['verify', '--local', 'standalone', '--duration', '12s', '--every', '2s', '--rate', '60'];

it.each([
  ['skipsTheRepair', ['--connections', '60', '--only', 'subscribing'], ['lost', 'holes']],
  [
    'dropsTheContinuityCheck',
    // Only what is pushed between a cut and its repair shows it: many cuts, many messages.
    ['--connections', '24', '--rate', '600', '--duration', '24s', '--every', '1s', '--only', 'to Redis are cut'],
    ['lost', 'holes', 'duplicated'],
  ],
  ['acknowledgesBeforeStoring', ['--connections', '30', '--only', 'kill -9'], ['lost', 'misplaced']],
  [
    'forgetsSubscribers',
    // A fault that cuts nobody off: who resumes is fed from the log, whatever topics it is on.
    ['--connections', '1100', '--gateways', '1', '--only', 'malformed', '--every', '30s'],
    ['lost', 'holes'],
  ],
] as const)('catches a gateway that %s', { timeout: TIMEOUT_MS }, async (name, flags, offences) => {
  const broken = breakGateway(MUTATIONS[name]);
  try {
    const { status, stdout, result } = await measured([...SHORT, '--program', broken.program, '--seed', '5', ...flags]);
    expect(status, stdout).toBe(1);
    const { audit, offenders } = result as NonNullable<typeof result>;
    expect(
      offences.some((offence) => audit[offence] > 0),
      stdout,
    ).toBe(true);
    expect(offenders.some(({ what }) => (offences as readonly string[]).includes(what))).toBe(true);
    expect(stdout).toContain('FAILED');
  } finally {
    broken.remove();
  }
});

it('refuses what it cannot verify', async () => {
  for (const [args, message] of [
    [['verify'], 'either URLs or --local'],
    [['verify', '--local', 'cloud'], '--local takes memory'],
    [['verify', '--local', 'memory', '--only', 'earthquake'], 'no fault'],
    [['verify', '--local', 'memory', '--mix', 'cocktail'], '--mix takes plain or chaos'],
  ] as const) {
    const { status, stderr } = await fanfareLoad(args);
    expect(stderr).toContain(message);
    expect(status).toBe(2);
  }
});
