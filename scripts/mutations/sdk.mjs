/** Faults in the client. */
import { of } from './of.mjs';

export default [
  ...of('client-sdk/src/audience.ts', 'client-sdk/src/audience.test.ts', [
    ['who pauses is given messages', "if (reader.flow !== 'flowing') return false;", ''],
    [
      'one offset in two epochs is one place',
      "if (stood.offset === at.offset && stood.epoch !== at.epoch) reader.flow = 'behind';",
      '',
    ],
    ['who is behind is not put to the test first', "this.#furthestBack('behind') ?? ", ''],
    ['who saw what an ended epoch lost is not told', 'if (!isHere) this.#checkAhead(reader, since, at);', ''],
  ]),
  ...of('client-sdk/src/check-data.ts', 'client-sdk/src/check-data.test.ts', [
    ['a date that is none is data', '/^(Number|Date)$/', '/^Number$/'],
    ['what toJSON says is not looked at', 'checkData(toJSON.call(data), path, depth + 1);', ''],
  ]),
  ...of('client-sdk/src/inbox.ts', 'client-sdk/src/iterate.test.ts', [
    ['a slow loop is never full', 'return this.#size >= this.#capacity;', 'return false;'],
    ['nobody hears of room', 'this.#hooks.onRoom();', ''],
    ['a loop that is left goes on', 'this.#hooks.onReturn();', ''],
  ]),
  ...of('client-sdk/src/requests.ts', 'client-sdk/src/publish.test.ts', [
    ['what may be done is sent again without a key', 'request.readOnly || request.repeatable?.()', 'true'],
    ['a key is believed for ever', 'now - (request.ambiguousSince ?? now) >= idempotencyMs', 'now < 0'],
    [
      'a refusal of a second sending is believed',
      'isAmbiguous(request) ? outcomeUnknown(`sent twice',
      'false ? outcomeUnknown(`sent twice',
    ],
    [
      'there is no bound to what waits',
      'if (this.#queue.length + this.#open.size + this.#resting.size >= maxPending) {',
      'if (maxPending < 0) {',
    ],
  ]),
  ...of('client-sdk/src/send-window.ts', 'client-sdk/src/publish.test.ts', [
    [
      'rate_limited is not heeded',
      'this.#hold = this.#clock.after(delayMs, () => {\n      this.#hold = undefined;',
      'this.#clock.after(delayMs, () => {',
    ],
    ['the window has no end', 'this.#open >= Math.floor(this.#size)', 'this.#open < 0'],
  ]),
  ...of('client-sdk/src/requests.ts', 'client-sdk/src/publish.test.ts', [
    [
      'what comes back goes behind what was asked later',
      'this.#queue.splice(index < 0 ? this.#queue.length : index, 0, request);',
      'this.#queue.push(request);',
    ],
    ['an answer of another kind is the answer', 'if (frame.type === request.replyType)', "if (frame.type !== 'error')"],
    ['an answer frees no place', "this.#window.release(frame.type !== 'error');", ''],
    [
      'a deadline ends what was sent, though its answer is on its way',
      'request.overdue = restMs > 0;',
      'request.overdue = false;',
    ],
  ]),
  ...of('client-sdk/src/wire-size.ts', 'client-sdk/src/publish.test.ts', [
    ['text is as long as it has characters', ' || new TextEncoder().encode(wire).length > maxBytes', ''],
  ]),
  ...of('client-sdk/src/request.ts', 'client-sdk/src/publish.test.ts', [
    [
      'what may have been done has failed',
      'return !readOnly && (sentAt !== undefined || ambiguousSince !== undefined);',
      'return false;',
    ],
  ]),
  ...of('client-sdk/src/roster.ts', 'client-sdk/src/roster.test.ts', [
    ['who was told late is there again', 'this.#departed.set(name, rev);', ''],
    [
      'an older join counts',
      '    if (rev <= (known?.rev ?? this.#departed.get(name) ?? OLD)) return;\n    this.#departed.delete(name);\n    this.#members = undefined;',
      '    this.#departed.delete(name);\n    this.#members = undefined;',
    ],
  ]),
  ...of('client-sdk/src/requests.ts', 'client-sdk/src/positions.test.ts', [
    [
      'what waits is done in the name of another user',
      'if (this.#user && this.#user.name !== frame.user) this.#dropWrites();',
      '',
    ],
  ]),
];
