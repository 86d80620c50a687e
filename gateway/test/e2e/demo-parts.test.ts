/** The parts of the demo that decide: the books, who publishes, and what is said aloud. */
import { expect, it } from 'vitest';
import { Leadership, SILENCE_MS } from '../../demo/leadership.js';
import { Ledger } from '../../demo/ledger.js';
import type { Note } from '../../demo/reader-messages.js';
import { Verdict } from '../../demo/verdict.js';

function ledgerAt(offset: number): Ledger {
  const ledger = new Ledger('demo:a');
  ledger.start({ epoch: '1', offset });
  return ledger;
}

function receive(ledger: Ledger, ...offsets: number[]): boolean[] {
  return offsets.map((offset) => ledger.receive({ epoch: '1', offset }));
}

it('the ledger counts what is lost and what comes twice', () => {
  const ledger = ledgerAt(4);
  receive(ledger, 5, 6, 9, 9, 8, 10);
  expect(ledger.row).toMatchObject({ received: 6, lost: 2, duplicated: 2, caughtUp: 0 });
  expect(ledger.row.position).toEqual({ epoch: '1', offset: 10 });
});

it('a message before where the subscription began is one too many, one beyond it is a loss', () => {
  const [early, late] = [ledgerAt(4), ledgerAt(4)];
  receive(early, 4);
  receive(late, 6);
  expect(early.row).toMatchObject({ duplicated: 1, lost: 0 });
  expect(late.row).toMatchObject({ duplicated: 0, lost: 1 });
});

it('caught up is what the log had when reading went on, whenever that becomes known', () => {
  const ledger = ledgerAt(10);
  const settle = ledger.resume();
  expect(receive(ledger, 11, 12)).toEqual([true, true]);
  settle(14);
  expect(ledger.row).toMatchObject({ caughtUp: 2, behind: 2 });
  expect(receive(ledger, 13, 14, 15)).toEqual([true, true, false]);
  expect(ledger.row).toMatchObject({ caughtUp: 4, behind: 0 });
});

it('an interruption within another counts no message twice', () => {
  const ledger = ledgerAt(0);
  const first = ledger.resume();
  first(5);
  receive(ledger, 1, 2);
  const second = ledger.resume();
  receive(ledger, 3, 4, 5, 6);
  second(7);
  receive(ledger, 7, 8);
  expect(ledger.row).toMatchObject({ received: 8, caughtUp: 7, behind: 0 });
  ledger.resume()(undefined);
  expect(receive(ledger, 9)).toEqual([false]);
});

it('a reset is counted, and what a trimmed log skipped as lost', () => {
  const ledger = ledgerAt(10);
  ledger.reset({ epoch: '1', offset: 15 }, true);
  expect(ledger.row).toMatchObject({ resets: 1, lost: 5 });
  ledger.reset({ epoch: '2', offset: 0 }, false);
  ledger.receive({ epoch: '2', offset: 1 });
  expect(ledger.row).toMatchObject({ resets: 2, lost: 5, duplicated: 0, position: { epoch: '2', offset: 1 } });
});

it('a page leads only where none is heard', () => {
  const page = new Leadership('b', 20, 0);
  page.watch(SILENCE_MS - 1);
  expect(page.leads).toBe(false);
  page.hear({ publisher: 'c', leads: true, rate: 50 }, SILENCE_MS);
  page.watch(2 * SILENCE_MS - 1);
  expect(page).toMatchObject({ leads: false, rate: 50 });
  page.watch(2 * SILENCE_MS);
  expect(page.leads).toBe(true);
});

it('of two that lead the smaller id stays, and those who only ask for a rate lead nobody', () => {
  const [a, b] = [new Leadership('a', 20, 0), new Leadership('b', 20, 0)];
  for (const page of [a, b]) page.watch(SILENCE_MS);
  a.hear({ publisher: 'b', leads: true, rate: 20 }, SILENCE_MS);
  b.hear({ publisher: 'a', leads: true, rate: 20 }, SILENCE_MS);
  expect([a.leads, b.leads]).toEqual([true, false]);
  a.hear({ publisher: 'c', leads: false, rate: 0 }, SILENCE_MS);
  expect(a).toMatchObject({ leads: true, rate: 0 });
});

const publisher = { connected: true, leads: true, rate: 20, seen: 100 };
const reset = (channel: string, reason: 'expired' | 'unrecoverable'): Note => ({
  kind: 'reset',
  channel,
  reason,
  position: { epoch: '2', offset: 0 },
});

function verdictAfter(...notes: Note[]): Verdict {
  const verdict = new Verdict();
  verdict.watch(publisher);
  for (const note of notes) verdict.hear(note);
  return verdict;
}

it('the verdict counts what is published meanwhile, and says when nothing is', () => {
  const verdict = verdictAfter({ kind: 'cut', offlineMs: 3000 });
  expect(verdict).toMatchObject({
    text: 'Offline. Messages are being published, and pass this page by …',
    kind: 'broken',
  });
  expect(verdict.watch({ ...publisher, seen: 117 })).toBe(true);
  expect(verdict.text).toBe('Offline. Published meanwhile, and not here yet: 17.');
  verdict.hear({ kind: 'down', reason: 'refused' });
  expect(verdict.text).toContain('17');
  verdict.watch({ ...publisher, connected: false });
  expect(verdict.text).toBe('Offline. The publisher is offline: nothing is published from here.');
  verdict.watch({ ...publisher, rate: 0 });
  expect(verdict.text).toBe('Offline. Nothing is being published: Publish is off.');
  verdict.hear({ kind: 'reconnected' });
  expect(verdict.watch(publisher)).toBe(false);
  verdict.hear({ kind: 'caughtUp', messages: 1200 });
  expect(verdict).toMatchObject({
    text: expect.stringMatching(/^1,200 messages were published meanwhile/),
    kind: 'good',
  });
});

const ANEW = ' Was it started anew? Its embedded broker keeps nothing; with Redis the logs stay.';

it('a reset keeps the verdict until the next interruption, whatever is caught up with', () => {
  const lost: Note[] = [{ kind: 'down', reason: '' }, { kind: 'reconnected' }, reset('demo:chat', 'unrecoverable')];
  const verdict = verdictAfter(...lost);
  const said = { text: `The log of demo:chat was lost, and the gateway said so.${ANEW}`, kind: 'bad' };
  expect(verdict).toMatchObject(said);
  for (const messages of [0, 5]) {
    verdict.hear({ kind: 'caughtUp', messages });
    expect(verdict).toMatchObject(said);
  }
  verdict.hear(reset('demo:ticker', 'expired'));
  expect(verdict.text).toBe(`The logs of 2 channels were lost, and the gateway said so.${ANEW}`);
  verdict.hear({ kind: 'frozen', forMs: 5000 });
  verdict.hear({ kind: 'thawed' });
  verdict.hear({ kind: 'caughtUp', messages: 0 });
  expect(verdict).toMatchObject({ text: 'Back. Nothing was published meanwhile.', kind: 'good' });
  expect(verdictAfter(reset('demo:chat', 'expired')).text).toBe(
    'The log of demo:chat no longer goes back that far, and the gateway said so.',
  );
});
