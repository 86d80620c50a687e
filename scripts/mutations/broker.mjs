/** Faults in the resume rules and the broker of a single process. */
import { of } from './of.mjs';

export default [
  ...of('gateway/src/broker/resume.ts', 'gateway/src/broker/resume.test.ts', [
    ['an epoch of the lineage never ends', 'lineage[i + 1]?.baseOffset ?? head.offset', 'head.offset'],
    ['at a border the newer epoch', 'if (entry.baseOffset < offset) return', 'if (entry.baseOffset <= offset) return'],
    ['a hole in the log is overlooked', 'next?.offset !== at.offset + 1', 'next === undefined'],
    ['a hole behind a lost position is told as expired', "diverged ? 'diverged' : 'expired'", "'expired'"],
    ['a position in words is believed', '&& String(number) === epoch', ''],
    [
      'the page after a position holds it, too',
      'if (isBefore(position, entries[middle]',
      'if (!isBefore(entries[middle] as LogPosition, position) || isBefore(position, entries[middle]',
    ],
  ]),
  ...of('gateway/src/broker/memory/channel-log.ts', 'gateway/src/broker/memory/channel-log.test.ts', [
    ['time goes backwards', 'this.#lastTimeMs = Math.max(this.#lastTimeMs, nowMs);', 'this.#lastTimeMs = nowMs;'],
    ['the log keeps everything', 'if (surplus > historySize * TRIM_SLACK) this.#records.splice(0, surplus);', ''],
    [
      'an entry that is too large for a page is none',
      'if (bytes > maxBytes && end > start) break;',
      'if (bytes > maxBytes) break;',
    ],
    ['a fork loses nothing', 'this.#records.length = this.#indexAfter(baseOffset);', ''],
    ['epochs that began in what was lost are kept', '.filter(begins)', ''],
    [
      'a new epoch starts its offsets anew',
      'this.#head = { epoch, offset: baseOffset };',
      'this.#head = { epoch, offset: 0 };',
    ],
    ['a lineage of sixteen', '&& !isNeeded(lineage[from + 1])', ''],
    [
      'a page backwards says that nothing is before it',
      'backwards ? start > 0 : end < records.length];',
      'end < records.length];',
    ],
  ]),
  ...of('gateway/src/broker/memory/memory-log.ts', 'gateway/test/broker-memory.test.ts', [
    ['a key is not remembered', 'if (key !== undefined) this.keys.remember(channel.name, key, position, nowMs);', ''],
    ['a live key is not remembered', 'this.keys.remember(channel.name, key, { epoch: 0, offset: 0 }, nowMs);', ''],
    ['what is subscribed is not ended', 'state.listeners = state.listeners.filter((one) => one !== listener);', ''],
  ]),
  ...of('gateway/src/broker/memory/key-window.ts', 'gateway/src/broker/memory/memory-log.test.ts', [
    ['keys hold for ever', 'if (entry.expiresAt > nowMs) return;', 'return;'],
    ['there is always room for another key', 'if (this.entries.size < this.#maxKeys) return 0;', 'return 0;'],
  ]),
  ...of('gateway/src/broker/memory/memory-log.ts', 'gateway/src/broker/memory/memory-log.test.ts', [
    [
      'a channel forgets where it stood with its entries',
      'Math.max(state.entriesExpireAt, nowMs + IDENTITY_TTL_MS)',
      'state.entriesExpireAt',
    ],
    [
      'a channel nobody published to is kept as long as others',
      'state.log.head.offset > 0 ? IDENTITY_TTL_MS : NEW_IDENTITY_MS',
      'IDENTITY_TTL_MS',
    ],
    ['a look makes an identity', 'range.isPeek && isUnknown', 'false'],
    ['what a listener publishes overtakes', 'if (this.#pushing) return;', ''],
    ['pushes come again with the next ones', 'this.#pushes.length = 0;', ''],
    [
      'a listener that throws ends all pushes',
      '    } finally {\n      this.#pushes.length = 0;\n      this.#pushing = false;\n    }',
      '      this.#pushes.length = 0;\n      this.#pushing = false;\n    } finally {\n    }',
    ],
    ['keys are not swept', '    this.keys.evict(nowMs);\n', ''],
    [
      'a channel that was left is kept until it is swept',
      'if (state.isForgotten(this.clock.wall())) this.channels.delete(name);',
      '',
    ],
    ['there is a subscriber, and still it is forgotten', 'this.listeners.length === 0 && ', ''],
  ]),
  ...of('gateway/src/broker/memory/key-window.ts', 'gateway/src/broker/memory/key-window.test.ts', [
    ['a key of another channel is taken for its own', 'channel.length', '0'],
    ['a full window says that there is room now', 'Math.max(1, oldest.expiresAt - nowMs)', 'oldest.expiresAt - nowMs'],
    ['a key holds a ms longer', 'if (entry.expiresAt > nowMs)', 'if (entry.expiresAt >= nowMs)'],
  ]),
];
