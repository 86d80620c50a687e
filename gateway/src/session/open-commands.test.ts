import { describe, expect, it } from 'vitest';
import { OpenCommands } from './open-commands.js';

const MIB = 1024 * 1024;

describe('open commands of a session', () => {
  it('are taken up to their bound, and again once some are answered', () => {
    const open = new OpenCommands({ soon: (run) => run() });
    const done = open.take(3 * MIB);
    expect(open.take(2 * MIB)).toBeUndefined();
    done?.();
    expect(open.isBusy).toBe(false);
    expect(open.take(2 * MIB)).toBeDefined();
  });

  it('take a single one whatever its size', () => {
    const open = new OpenCommands({ soon: (run) => run() });
    expect(open.take(9 * MIB)).toBeDefined();
    expect(open.take(0)).toBeUndefined();
  });

  it('tell when the last of them is answered, at the end of the turn', async () => {
    const later: (() => void)[] = [];
    const open = new OpenCommands({ soon: (run) => later.push(run) });
    const [first, second] = [open.take(1), open.take(1)];
    let isAnswered = false;
    const answered = open.answered().then(() => {
      isAnswered = true;
    });
    expect(open.isEnding).toBe(true);
    first?.();
    expect(later).toHaveLength(0);
    second?.();
    await Promise.resolve();
    expect([later.length, isAnswered]).toEqual([1, false]);
    later[0]?.();
    await answered;
  });
});
