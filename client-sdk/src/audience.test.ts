import type { Position } from '@fanfare/protocol';
import { describe, expect, it } from 'vitest';
import { Audience, type Flow, type Reader } from './audience.js';
import type { Message } from './message.js';

const at = (offset: number, epoch = 'e1'): Position => ({ epoch, offset });

/** Makes a reader that keeps what it is told, in words. */
function reader(position: Position | undefined, flow: Flow = 'flowing') {
  const told: string[] = [];
  const self: Reader & { told: string[] } = {
    flow,
    isSubscribed: true,
    position,
    told,
    onSubscribed: () => told.push('subscribed'),
    onRecovered: () => told.push('recovered'),
    onMessage: ({ offset }: Message) => told.push(`message ${offset}`),
    onReset: (reason, previous) => told.push(`${reason} from ${previous.epoch}-${previous.offset}`),
    onLagged: () => told.push('lagged'),
    onDown: () => told.push('down'),
    onFailed: () => told.push('failed'),
  };
  return self;
}

function audience(...readers: Reader[]): Audience {
  const all = new Audience();
  for (const one of readers) all.add(one);
  return all;
}

const message = (offset: number): Message => ({ channel: 'c', data: offset, time: 1, offset });

describe('where the wire starts', () => {
  it('is the position furthest back, of those who do not pause', () => {
    expect(audience(reader(at(9)), reader(at(7)), reader(undefined), reader(at(3), 'paused')).start).toEqual(at(7));
    expect(audience(reader(undefined)).start).toBeUndefined();
  });

  it('is first that of one who is behind, so that it is put to the test itself', () => {
    expect(audience(reader(at(3)), reader(at(9), 'behind'), reader(at(8), 'behind')).start).toEqual(at(8));
  });
});

describe('a wire that starts over', () => {
  it('passes by those who are ahead, then takes them along', () => {
    const back = reader(at(3));
    const ahead = reader(at(5));
    const all = audience(back, ahead);
    all.recovered(at(3), at(3));
    for (const offset of [4, 5, 6]) all.deliver(message(offset), at(offset - 1), at(offset));
    expect(back.told).toEqual(['subscribed', 'recovered', 'message 4', 'message 5', 'message 6']);
    expect(ahead.told).toEqual(['subscribed', 'recovered', 'message 6']);
  });

  it('puts to the test those who are ahead in another epoch: that may be one of no log', () => {
    const back = reader(at(3, 'e2'));
    const ahead = reader(at(1_000, 'e1'));
    const all = audience(back, ahead);
    all.recovered(at(3, 'e2'), at(3, 'e2'));
    expect(ahead).toMatchObject({ flow: 'behind', told: [] });
    expect(all.start).toEqual(at(1_000, 'e1'));
  });

  it('is done with testing once it has been back where it began', () => {
    const back = reader(at(3));
    const ahead = reader(at(9, 'e2'));
    const all = audience(back, ahead);
    const tested: Position[] = [];
    do {
      const start = all.start as Position;
      all.engage();
      all.recovered(start, start);
      tested.push(start);
    } while (all.behind && tested.length < 9);
    expect(tested).toEqual([at(3), at(9, 'e2'), at(3)]);
    expect([back, ahead]).toMatchObject([{ position: at(3) }, { position: at(9, 'e2') }]);
  });

  it('puts to the test those whose offset it comes by in another epoch', () => {
    const back = reader(at(0, 'e2'));
    const ahead = reader(at(1, 'e1'));
    const all = audience(back, ahead);
    all.deliver(message(1), at(0, 'e2'), at(1, 'e2'));
    expect(back.told).toEqual(['message 1']);
    expect(ahead).toMatchObject({ flow: 'behind', position: at(1, 'e1') });
    expect(all.start).toEqual(at(1, 'e1'));
  });

  it('leaves behind those it did not start for', () => {
    const tested = reader(at(9));
    const back = reader(at(3));
    const all = audience(tested, back);
    all.recovered(at(9), at(9));
    expect(back).toMatchObject({ flow: 'behind', position: at(3), told: [] });
    expect(all.behind).toBe(true);
    expect(all.start).toEqual(at(3));
  });

  it('tells at once those who have seen what an ended epoch lost', () => {
    const back = reader(at(3));
    const ahead = reader(at(9));
    const renamed = audience(back, ahead);
    renamed.recovered(at(3), at(3, 'e2'));
    expect(back).toMatchObject({ position: at(3, 'e2'), told: ['subscribed', 'recovered'] });
    expect(ahead).toMatchObject({ position: at(3, 'e2'), told: ['subscribed', 'recovered', 'diverged from e1-9'] });

    const later = reader(at(9));
    const other = reader(at(9, 'e2'));
    audience(reader(at(4)), later, other).enterEpoch(at(4), at(4, 'e2'));
    expect(later).toMatchObject({ position: at(4, 'e2'), told: ['diverged from e1-9'] });
    expect(other).toMatchObject({ position: at(9, 'e2'), told: [] });
  });

  it('tells those whom one frame passes under another epoch, and takes them along', () => {
    const ahead = reader(at(5, 'e2'));
    const all = audience(ahead);
    all.deliver(message(6), at(4, 'e3'), at(6, 'e3'));
    expect(ahead.told).toEqual(['diverged from e2-5', 'message 6']);
  });

  it('takes along those on the way of a frame that covers several offsets', () => {
    for (const act of ['deliver', 'pass'] as const) {
      const back = reader(at(4));
      const onTheWay = reader(at(6));
      const ahead = reader(at(9));
      const otherwise = reader(at(6, 'e2'));
      const all = audience(back, onTheWay, ahead, otherwise);
      if (act === 'deliver') all.deliver(message(8), at(4), at(8));
      else all.pass(at(4), at(8));
      const told = act === 'deliver' ? ['message 8'] : [];
      expect([back, onTheWay]).toMatchObject([
        { position: at(8), told },
        { position: at(8), told },
      ]);
      expect(ahead).toMatchObject({ position: at(9), told: [] });
      expect(otherwise).toMatchObject({ position: at(8), told: ['diverged from e2-6', ...told] });
    }
  });

  it('takes them along into the epoch that begins behind it', () => {
    const back = reader(at(4));
    const onTheWay = reader(at(6));
    const there = reader(at(8));
    const beyond = reader(at(9));
    const entered = reader(at(9, 'e2'));
    audience(back, onTheWay, there, beyond, entered).enterEpoch(at(4), at(8, 'e2'));
    for (const one of [back, onTheWay, there]) expect(one).toMatchObject({ position: at(8, 'e2'), told: [] });
    expect(beyond).toMatchObject({ position: at(8, 'e2'), told: ['diverged from e1-9'] });
    expect(entered).toMatchObject({ position: at(9, 'e2'), told: [] });
  });

  it('puts to the test those whom an epoch passes under another name', () => {
    const elsewhere = reader(at(4));
    const all = audience(reader(at(4, 'e2')), elsewhere);
    all.enterEpoch(at(4, 'e2'), at(5, 'e3'));
    expect(elsewhere).toMatchObject({ flow: 'behind', position: at(4), told: [] });
  });

  it('does not take along whoever leaves or pauses when told of a reset', () => {
    const all = audience();
    const leaves = reader(at(6, 'e2'));
    const pauses = reader(at(6, 'e2'));
    leaves.onReset = () => all.delete(leaves);
    pauses.onReset = () => {
      pauses.flow = 'paused';
    };
    all.add(leaves);
    all.add(pauses);
    all.deliver(message(8), at(4), at(8));
    for (const one of [leaves, pauses]) expect(one).toMatchObject({ position: at(4), told: [] });
  });

  it('tests two names of one offset, and knows them for one place once the log says so', () => {
    const one = reader(at(5));
    const two = reader(at(5, 'e2'));
    const all = audience(one, two);
    for (const tested of [at(5), at(5, 'e2'), at(5)]) {
      expect(all.start).toEqual(tested);
      all.engage();
      all.recovered(tested, tested);
    }
    expect(all.behind).toBe(false);
    expect([one.position, two.position]).toEqual([at(5), at(5, 'e2')]);
    all.enterEpoch(at(5), at(5, 'e2'));
    expect([one.position, two.position]).toEqual([at(5, 'e2'), at(5, 'e2')]);
    all.deliver(message(6), at(5, 'e2'), at(6, 'e2'));
    expect([one.told.at(-1), two.told.at(-1)]).toEqual(['message 6', 'message 6']);
  });

  it('starts over for who stands there by another name when a message comes', () => {
    const one = reader(at(5));
    const two = reader(at(5, 'e2'));
    const all = audience(one, two);
    for (const tested of [at(5, 'e2'), at(5), at(5, 'e2')]) all.recovered(tested, tested);
    all.engage();
    all.deliver(message(6), at(5, 'e2'), at(6, 'e2'));
    expect(two.told.at(-1)).toBe('message 6');
    expect(one).toMatchObject({ flow: 'behind', position: at(5) });
    expect(all.start).toEqual(at(5));
  });

  it('takes two names of one offset for two places where the first was answered before a fork was known', () => {
    const lost = reader(at(5));
    const held = reader(at(5, 'e2'));
    const all = audience(lost, held);
    all.recovered(at(5), at(5));
    all.engage();
    all.recovered(at(5, 'e2'), at(5, 'e2'));
    expect(lost.flow).toBe('behind');
    all.engage();
    all.reset('diverged', at(5), at(3), true);
    expect(lost.told.at(-1)).toBe('diverged from e1-5');
    expect(held).toMatchObject({ flow: 'behind', position: at(5, 'e2') });
  });
});

describe('a reset', () => {
  it('is told to whom it happened; others are put to the test by themselves', () => {
    const broken = reader(at(5));
    const elsewhere = reader(at(9, 'e2'));
    const late = reader(undefined);
    const all = audience(broken, elsewhere, late);
    all.reset('diverged', at(5), at(3), true);
    expect(broken).toMatchObject({ position: at(3), told: ['subscribed', 'diverged from e1-5'] });
    expect(late).toMatchObject({ position: at(3), told: ['subscribed'] });
    expect(elsewhere).toMatchObject({ flow: 'behind', position: at(9, 'e2'), told: [] });
  });

  it('by a trim says nothing to those who are ahead in the same epoch', () => {
    const ahead = reader(at(9));
    const overtaken = reader(at(6));
    const all = audience(reader(at(2)), ahead, overtaken);
    all.reset('expired', at(2), at(7), false);
    expect(ahead).toMatchObject({ flow: 'flowing', position: at(9), told: [] });
    expect(overtaken).toMatchObject({ flow: 'behind', position: at(6), told: [] });
  });
});

describe('those who pause', () => {
  it('are told nothing and keep their place', () => {
    const paused = reader(at(5), 'paused');
    const all = audience(paused, reader(at(5)));
    all.deliver(message(6), at(5), at(6));
    all.enterEpoch(at(6), at(6, 'e2'));
    all.reset('expired', at(6, 'e2'), at(8, 'e2'), false);
    all.lagged(true);
    expect(paused).toMatchObject({ position: at(5), told: [] });
    expect(all.active).toBe(true);
    expect(audience(paused).active).toBe(false);
  });
});
