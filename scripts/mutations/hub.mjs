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
      'if (--this.#users === 0) this.#owner?.onUnused(this);',
      'this.#owner?.onUnused(this);',
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
  ...of('gateway/src/hub/own-publishes.ts', 'gateway/src/hub/own-publishes.test.ts', [
    ['who joins behind a publish gets it', 'if (!isBefore(topic.flushed, position)) return;', 'return;'],
    ['a publish that is late is not looked for', 'await channel.catchUp(position).catch(() => {});', ''],
    [
      'a publish that was answered while a join waited is forgotten',
      'if (this.#last === position && isBefore(channel.cursor, position)) this.#last = channel.cursor;',
      'if (isBefore(channel.cursor, this.#last)) this.#last = channel.cursor;',
    ],
  ]),
  ...of('gateway/src/hub/own-publishes.ts', 'gateway/src/hub/trouble.test.ts', [
    [
      'a publish that is lost keeps everybody out',
      'await channel.catchUp(position).catch(() => {});',
      'await channel.catchUp(position);',
    ],
    [
      'a publish that is lost is looked for at every join',
      'if (this.#last === position && isBefore(channel.cursor, position)) this.#last = channel.cursor;',
      '',
    ],
  ]),
  ...of('gateway/src/hub/log-reader.ts', 'gateway/src/hub/log-reader.test.ts', [
    ['a failed read leaves them waiting', 'for (const request of requests) request.reject(error);', ''],
  ]),
  ...of('gateway/src/hub/replay.ts', 'gateway/src/hub/replay.test.ts', [
    [
      'a broken continuity is told without a confirmed read',
      'if (!verdict.ok && !this.#clamp && !isConfirmed) return false;',
      '',
    ],
    ['a rewind is told a reset', 'if (this.#clamp) return;', ''],
    ['a new epoch is not told', 'if (!this.#cross(record.epoch)) return false;', ''],
    [
      'a frame that was refused is not sent again',
      'if (frame !== undefined && !subscriber.sendReplayed(frame)) return false;',
      'if (frame !== undefined) subscriber.sendReplayed(frame);',
    ],
    ['a reset behind the answer is not told', 'this.#reset = frame;', ''],
    ['who was told where it stands is sent away', 'if (this.#untold && waitedMs >=', 'if (waitedMs >='],
    ['what is no use to try again is tried again', 'if (!toFanfareError(error).retryable) throw error;', ''],
    [
      'a stretch of what is at hand has no end',
      'for (let bytes = 0; entry && bytes < STRETCH_BYTES; entry',
      'for (let bytes = 0; entry; entry',
    ],
    [
      'a stretch of a page has no end',
      'next < entries.length && bytes < STRETCH_BYTES; next++',
      'next < entries.length; next++',
    ],
    [
      'a page is sent to who does not read',
      'while (!subscriber.isDrained && !this.#membership.hasLeft) await subscriber.drained();',
      '',
    ],
    ['an epoch alone is no new name of a place', 'if (!same || end !== flushed.offset) return false;', 'return false;'],
    ['a rewind begins one too late', 'cursor.offset - start.rewind)', 'cursor.offset - start.rewind + 1)'],
  ]),
  ...of('gateway/src/hub/entry.ts', 'gateway/src/hub/entry.test.ts', [
    ['every dialect gets the frame of the first', 'if (one.dialect === dialect) return one.wire;', 'return one.wire;'],
    ['a live message has a position', 'return this.#durable ? this.record : undefined;', 'return this.record;'],
  ]),
  ...of('gateway/src/hub/send-queue.ts', 'gateway/src/hub/send-queue.test.ts', [
    ['what was sent waits still', 'this.#count(-size);', ''],
    ['topics do not move with what was sent', 'if (position) this.startAt(position);', ''],
    [
      'nothing is on its way as soon as one publish was answered',
      'if (--this.#publishes === 0)',
      'if (--this.#publishes >= 0)',
    ],
    ['a queue is woken once in its life', 'this.#awake = false;', ''],
    ['what joins frames takes up no room', 'bytes + JOIN_BYTES * nth > room', 'bytes > room'],
    ['what was sent is sent again', 'this.#items.drop(items.length);', 'this.#items.drop(items.length - 1);'],
    [
      'a queue is full though there is room for all',
      'this.#bytes >= options.queueBytes && bytes',
      'this.#bytes >= options.queueBytes || bytes',
    ],
    ['a topic that is opened later begins at nothing', '    this.#flushed = position;\n', ''],
  ]),
  ...of('gateway/src/hub/send-scheduler.ts', 'gateway/src/hub/send-scheduler.test.ts', [
    [
      'who waits for room is told when there is hardly any',
      'this.#bytes > this.options.allQueuesBytes / 2',
      'this.#bytes > this.options.allQueuesBytes',
    ],
    ['a channel that was sent is not woken again', 'else queue.idle();', ''],
    [
      'what did not fit into a turn is left',
      'this.#ready = this.#ready.length === 0 ? queues.slice(at) : [...queues.slice(at), ...this.#ready];',
      '',
    ],
    ['a message waits though nothing is on its way', 'if (this.#held.delete(queue)) this.#release(queue);', ''],
    ['the second channel waits as long as the first', 'if (remaining > 0) {', 'if (remaining > MAX_HOLD_MS) {'],
    [
      'pings wait behind messages',
      'if (queue.isUrgent) this.#ready.unshift(queue);\n    else this.#ready',
      'this.#ready',
    ],
  ]),
  ...of('gateway/src/hub/log-reader.ts', 'gateway/src/hub/log-reader.test.ts', [
    ['a read begins at whoever asked first', 'if (isBefore(request.after, after)) after = request.after;', ''],
    ['whom the page does not reach waits for ever', 'else this.#waiting.push(request);', ''],
    ['a reader reads once', '    this.#reading = false;\n', ''],
    ['pages are kept for nobody', 'if (this.#users === 0) return; // a repair: nobody follows it', ''],
    ['kept pages have no bound', '.slice(-KEPT_PAGES)', ''],
    ['pages are forgotten under who replays', '    this.#users++;\n    this.#cancelForget?.();', '    this.#users++;'],
    [
      'confirmed reads hold up the others',
      'else this.#plain ??= new SharedReads((from) => this.#read(from, false));',
      'else this.#plain ??= this.#confirmed ?? new SharedReads((from) => this.#read(from, false));',
    ],
    [
      'an offset of another epoch is on the page',
      'if (at?.epoch === after.epoch && at.offset === after.offset) return kept.page;',
      'if (at) return kept.page;',
    ],
  ]),
  ...of('gateway/src/hub/stalls.ts', 'gateway/src/hub/stalls.test.ts', [
    ['a standstill begins anew each time', 'if (this.#sinceMs !== undefined) return;', ''],
    ['a standstill is told at once', 'if (forMs < this.#context.options.joinTimeoutMs) return undefined;', ''],
    ['a standstill has no end', 'this.#context.standing.delete(this);', ''],
    ['the last channel tells how long and why', 'known && known.forMs >= stall.forMs ? known : stall', 'stall'],
    ['channels of a part are one', '(known?.channels ?? 0) + 1', '1'],
    [
      'getting ahead is standing still',
      'this.#sinceMs = this.#context.clock.now();',
      'this.#sinceMs ??= this.#context.clock.now();',
    ],
  ]),
  ...of('gateway/src/hub/tail.ts', 'gateway/src/hub/tail.test.ts', [
    ['an offset is enough to stand on the tail', 'at?.epoch === position.epoch && at.offset', 'at?.offset'],
  ]),
  ...of('gateway/src/hub/durable-channel.ts', 'gateway/src/hub/durable-channel.test.ts', [
    ['what was pushed before comes twice', 'if (record.offset <= cursor.offset) return;', ''],
    ['a failed repair is never tried again', 'await pause(this.context.clock, attempt++);', 'return;'],
    [
      'a gap in the pushes is held for ever',
      '    this.context.stats.pushGaps++;\n    this.#hold(record);\n    void this.repair(record);',
      '    this.context.stats.pushGaps++;\n    this.#hold(record);',
    ],
    ['a repair that is asked for during a repair is forgotten', 'if (this.#repairAgain) continue;', ''],
    ['a subscription whose pushes the log does not know is trusted', 'this.subscription?.distrust();', ''],
  ]),
  ...of('gateway/src/hub/durable-channel.ts', 'gateway/src/hub/durable-channel.test.ts', [
    [
      'the log is asked while the subscription is interrupted',
      'if (this.#interrupted) return;\n        const',
      'const',
    ],
  ]),
  ...of('gateway/src/hub/replay.ts', 'gateway/src/hub/durable-channel.test.ts', [
    [
      'who resumes is answered by a cursor that the log may have lost',
      'return !this.#untold?.recovered || this.#channel.isSure;',
      'return true;',
    ],
  ]),
  ...of('gateway/src/hub/held-records.ts', 'gateway/src/hub/held-records.test.ts', [
    ['all of too many is forgotten', '      this.forget();\n    }', '      this.forget();\n      return;\n    }'],
    ['the last of too many is kept', 'if (isBefore(held, one)) held = one;', ''],
    ['what is released still counts', '    this.#bytes = 0;\n', ''],
  ]),
  ...of('gateway/src/hub/certainty.ts', 'gateway/src/hub/certainty.test.ts', [
    ['a page that is older than a doubt ends it', 'if (doubtsWhenAsked === this.#doubts) ', ''],
  ]),
  ...of('gateway/src/hub/channel.ts', 'gateway/src/hub/durable-channel.test.ts', [
    ['who has left leaves again', "if (this.#state === 'left') return;", ''],
  ]),
  ...of('gateway/src/hub/channel.ts', 'gateway/src/session/memberships.test.ts', [
    ['who leaves stays on the topic', '      this.topic.leave(this.subscriber);\n', ''],
  ]),
  ...of('gateway/src/hub/live-channel.ts', 'gateway/src/hub/live-channel.test.ts', [
    [
      'a live channel waits without bounds',
      'if (this.queue.isFull) this.context.stats.liveDropped++;\n    else this',
      'this',
    ],
    [
      'who lags is on a live channel',
      'await caughtUp(membership);\n    if (membership.hasLeft) return;',
      'if (membership.hasLeft) return;',
    ],
  ]),
  ...of('gateway/src/hub/exceptions.ts', 'gateway/src/hub/exceptions.test.ts', [
    ['who is excepted is on the topic all the same', 'subscriber.unsubscribe(topic.name);', ''],
    ['who is excepted does not come back', '    subscriber.subscribe(topic.name);\n', ''],
    ['who lagged meanwhile is put back', 'if (!membership.isLive) continue;', ''],
    ['nobody is found by the name of the channel', 'find(exception.session, channel)', "find(exception.session, '')"],
  ]),
  ...of('gateway/src/hub/entry.ts', 'gateway/src/hub/exceptions.test.ts', [
    [
      'who is excepted gets it',
      'exception?.session === session ? exception.frame(dialect) : item.frame(dialect)',
      'item.frame(dialect)',
    ],
    [
      'on a live channel who is excepted has a position',
      'this.#durable ? dialect.encode(frame) : undefined',
      'dialect.encode(frame)',
    ],
  ]),
];
