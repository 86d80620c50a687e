/** Faults in the channels alive on a gateway. */
import { of } from './of.mjs';

export default [
  ...of('gateway/src/hub/tail.ts', 'gateway/src/hub/tail.test.ts', [
    ['a tail has no bound in entries', 'this.#entries.length > this.#maxEntries || ', ''],
    ['a tail has no bound in bytes', ' || this.#bytes > this.#maxBytes', ''],
    ['a tail has holes', 'if (record.offset !== expected) this.reset', 'if (record.offset < 0) this.reset'],
    ['a tail ends before the head', 'if (records.at(-1)?.offset !== head.offset) this.reset(head);', ''],
  ]),
  ...of('gateway/src/hub/topic.ts', 'gateway/src/hub/topic.test.ts', [
    [
      'a topic is forgotten while it is used',
      'if (--this.#users === 0) this.#onUnused(this);',
      'this.#onUnused(this);',
    ],
  ]),
  ...of('gateway/src/hub/send-scheduler.ts', 'gateway/src/hub/send-scheduler.test.ts', [
    [
      'a busy channel holds up a quiet one',
      'const items = queue.take(room / sharing,',
      'const items = queue.take(room,',
    ],
    ['more publishes a turn than uWebSockets.js takes', 'publishes < MAX_PUBLISHES_PER_TURN && bytes', 'bytes'],
    [
      'publishers are never held up',
      'if (this.#bytes <= this.options.allQueuesBytes) return undefined;',
      'return undefined;',
    ],
    ['what is held is never let go', 'this.#clock.after(MAX_HOLD_MS, () => this.#expire());', ''],
  ]),
  ...of('gateway/src/hub/durable-channel.ts', 'gateway/src/hub/trouble.test.ts', [
    [
      'a publish that is lost keeps everybody out',
      'await this.catchUp(position).catch(() => {});',
      'await this.catchUp(position);',
    ],
    [
      'a publish that is lost is looked for at every join',
      'if (isBefore(this.cursor, this.#published)) this.#published = this.cursor;',
      '',
    ],
  ]),
  ...of('gateway/src/hub/log-reader.ts', 'gateway/src/hub/log-reader.test.ts', [
    ['a failed read leaves them waiting', 'for (const request of requests) request.reject(error);', ''],
  ]),
];
