/**
 * Faults put into the source, one at a time: `suite` must fail with each. `from` stands in `file` exactly once.
 * @type {readonly { readonly name: string, readonly file: string, readonly from: string, readonly to: string, readonly suite: string }[]}
 */
export const MUTATIONS = [
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
    ['what is subscribed is not ended', 'state.listeners.delete(listener);', ''],
  ]),
  ...of('gateway/src/broker/memory/key-window.ts', 'gateway/src/broker/memory/memory-log.test.ts', [
    ['keys hold for ever', 'if (entry.expiresAt > nowMs) return;', 'return;'],
    ['there is always room for another key', 'if (this.entries.size < this.#maxKeys) return 0;', 'return 0;'],
  ]),
  ...of('gateway/src/broker/redis/publish/lane.ts', 'gateway/src/broker/redis/publish/lane.test.ts', [
    [
      'a retry goes behind the others',
      'this.#queue.putBack(again);',
      'for (const one of again) this.#queue.push(one);',
    ],
    ['who may be done is told that it was not', 'mayBeDone ? outcomeUnknown', '!mayBeDone ? outcomeUnknown'],
    ['those who wait for a replica go with those who do not', '|| next.isReplicated !== isReplicated', ''],
    ['a batch has no bounds', 'if (count > 0 && bytes > MAX_BATCH_BYTES) break;', ''],
    ['retries never rest', 'hint.isSoon && this.#failures <= MAX_HURRIED_RETRIES ? now', 'hint.isSoon ? now'],
  ]),
  ...of(
    'gateway/src/broker/redis/push/channel-subscription.ts',
    'gateway/src/broker/redis/push/channel-subscription.test.ts',
    [['each doubt is told', 'if (this.#doubtsSinceRead++ % DOUBTS_UNTIL_TOLD_AGAIN === 0) this', 'this']],
  ),
  ...of('gateway/src/hub/tail.ts', 'gateway/src/hub/tail.test.ts', [
    ['a tail has no bound in entries', 'this.#entries.length - this.#first > this.#maxEntries || ', ''],
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
  ...of('gateway/src/hub/log-reader.ts', 'gateway/src/hub/log-reader.test.ts', [
    ['a failed read leaves them waiting', 'for (const request of requests) request.reject(error);', ''],
  ]),
  ...of('gateway/src/session/violations.ts', 'gateway/src/session/violations.test.ts', [
    ['ten violations in a day end a connection', ' < VIOLATIONS_WINDOW_MS;', ' >= 0;'],
  ]),
  ...of('client-sdk/src/audience.ts', 'client-sdk/src/audience.test.ts', [
    ['who pauses is given messages', "if (member.flow !== 'flowing') return false;", ''],
    [
      'one offset in two epochs is one place',
      "if (stood.offset === at.offset && stood.epoch !== at.epoch) member.flow = 'behind';",
      '',
    ],
    ['who is behind is not put to the test first', "this.#furthestBack('behind') ?? ", ''],
    ['who saw what an ended epoch lost is not told', 'if (!here) this.#checkAhead(member, since, at);', ''],
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
];

/** Faults of one file that one suite notices: each its name, the text and what replaces it. */
function of(file, suite, faults) {
  return faults.map(([name, from, to]) => ({ name, file, from, to, suite }));
}
