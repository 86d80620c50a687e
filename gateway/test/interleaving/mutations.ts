/** Faults put into the source, one at a time: each must make the interleavings fail. */
export interface Mutation {
  readonly name: string;
  /** Whose source it is; the gateway's if absent. */
  readonly package?: 'gateway' | 'client-sdk';
  /** Below `src/` of the package. */
  readonly file: string;
  /** Text that stands in the file exactly once, and what replaces it. */
  readonly from: string;
  readonly to: string;
  /** Shows in one run of some hundred to some thousand only: played by `npm run test:interleavings`. */
  readonly isShy?: boolean;
}

export const MUTATIONS: readonly Mutation[] = [
  {
    name: 'say that nothing was missed of a position that a reset in the queue takes back',
    isShy: true,
    file: 'hub/replay.ts',
    from: 'if (this.#untold?.recovered && !this.#isInLog) return false;',
    to: '',
  },
  {
    name: 'answer who resumes while the log may have lost what the channel has',
    isShy: true,
    file: 'hub/replay.ts',
    from: 'return !this.#untold?.recovered || this.#channel.isSure;',
    to: 'return true;',
  },
  {
    name: 'skip the buffer: what is pushed while the log is read is thrown away',
    isShy: true,
    file: 'hub/held-records.ts',
    from: 'this.#records.push(held);',
    to: '',
  },
  {
    name: 'skip the buffer at join: onto the topic at the cursor, with frames before it still queued',
    file: 'hub/replay.ts',
    from: 'return this.#membership.topic.flushed;',
    to: 'return this.#channel.cursor;',
  },
  {
    name: 'accept a pushed message of another epoch by its offset',
    file: 'hub/durable-channel.ts',
    from: 'if (record.epoch === cursor.epoch) {',
    to: 'if (record.epoch >= 0) {',
  },
  {
    name: 'serve a stale tail: by offset, whatever the epoch',
    file: 'hub/tail.ts',
    from: 'at?.epoch === position.epoch && at.offset === position.offset',
    to: 'at?.offset === position.offset',
  },
  {
    name: 'forget to leave the topics on lag',
    file: 'session/memberships.ts',
    from: `      this.#remove(name, membership, 'lagged');
      this.#untold.add(name);`,
    to: '      this.#untold.add(name);',
  },
  {
    name: 'do not repair after an interruption',
    file: 'hub/durable-channel.ts',
    from: 'if (this.#hasCursor) void this.repair();',
    to: 'this.#held = undefined;',
  },
  {
    name: 'keep the tail after a reset',
    file: 'hub/durable-channel.ts',
    from: 'this.tail.reset(verdict.at);',
    to: '',
  },
  {
    name: 'believe a first failing verdict, of a deposed master too',
    file: 'hub/replay.ts',
    from: 'if (!verdict.ok && !this.#clamp && !isConfirmed) return false;',
    to: '',
  },
  {
    name: 'judge only by offset: an epoch that ended counts as going on',
    file: 'broker/resume.ts',
    from: 'const diverged = position.offset > end;',
    to: 'const diverged = position.offset > page.head.offset;',
  },
  {
    name: 'count a replayed frame that was not accepted',
    file: 'session/socket-writer.ts',
    from: `    this.#beginLag();
    return false;`,
    to: `    this.#beginLag();
    return true;`,
  },
  {
    name: 'hold what follows a gap in the pushes for ever',
    file: 'hub/durable-channel.ts',
    from: `    this.context.stats.pushGaps++;
    this.#hold(record);
    void this.repair(record);`,
    to: `    this.context.stats.pushGaps++;
    this.#hold(record);`,
  },
  {
    name: 'never try a repair again that failed',
    file: 'hub/durable-channel.ts',
    from: 'this.#because(failure.message);',
    to: 'return;',
  },
  {
    name: 'forget a repair that was asked for during a repair',
    isShy: true,
    file: 'hub/durable-channel.ts',
    from: 'if (this.#repairAgain) continue;',
    to: '',
  },
  {
    name: 'forget that what was held back was too much',
    isShy: true,
    file: 'hub/held-records.ts',
    from: '      this.forget();\n    }',
    to: '      this.forget();\n      return;\n    }',
  },
  {
    name: 'believe a head that was read while the subscription was interrupted',
    isShy: true,
    file: 'hub/durable-channel.ts',
    from: 'if (wasInterrupted || interruptions !== this.#interruptions || !this.#release(page)) void this.repair();',
    to: 'if (!this.#release(page)) void this.repair();',
  },
  {
    name: 'find in an audit that the log is ahead, and leave it',
    file: 'hub/durable-channel.ts',
    from: `    void this.repair(page.head);
    return missed;`,
    to: '    return missed;',
  },
  {
    name: 'the SDK takes what begins behind a hole',
    package: 'client-sdk',
    file: 'continuity.ts',
    from: 'if ((prev ?? offset - 1) > before.offset)',
    to: 'if (offset < 0)',
  },
  {
    name: 'the SDK takes only what begins exactly where it stands',
    package: 'client-sdk',
    file: 'continuity.ts',
    from: 'if ((prev ?? offset - 1) > before.offset)',
    to: 'if ((prev ?? offset - 1) !== before.offset)',
  },
  {
    name: 'the SDK takes every frame for one that covers one offset',
    package: 'client-sdk',
    file: 'continuity.ts',
    from: 'if ((prev ?? offset - 1) > before.offset)',
    to: 'if (offset - 1 > before.offset)',
  },
  {
    name: 'the SDK stands one further, however much a frame covers',
    package: 'client-sdk',
    file: 'continuity.ts',
    from: 'return { epoch: before.epoch, offset };',
    to: 'return { epoch: before.epoch, offset: before.offset + 1 };',
  },
  {
    name: 'the SDK does not move its subscriptions with a position',
    package: 'client-sdk',
    file: 'cursor.ts',
    from: 'audience.pass(before, at);',
    to: ';',
  },
  {
    name: 'the SDK enters an epoch only exactly where it stands',
    package: 'client-sdk',
    file: 'continuity.ts',
    from: 'if (prev > before.offset || offset < before.offset)',
    to: 'if (offset !== before.offset)',
  },
  {
    name: 'the SDK enters an epoch over a hole',
    package: 'client-sdk',
    file: 'continuity.ts',
    from: 'if (prev > before.offset || offset < before.offset)',
    to: 'if (offset < before.offset)',
  },
  {
    name: 'the SDK takes the first frame of an array only',
    package: 'client-sdk',
    file: 'link.ts',
    from: '      return frames;',
    to: '      return frames.slice(0, 1);',
  },
  {
    name: 'the SDK takes an array backwards',
    package: 'client-sdk',
    file: 'link.ts',
    from: '      return frames;',
    to: '      return frames.reverse();',
  },
  {
    name: 'a frame is encoded once, whatever dialect its subscribers speak',
    file: 'hub/entry.ts',
    from: 'if (one.dialect === dialect) return one.wire;',
    to: 'return one.wire;',
  },
  {
    name: 'a start over leaves the old run going',
    file: 'session/memberships.ts',
    from: `    earlier?.leave();
`,
    to: '',
  },
  {
    name: 'a rewind begins one message short',
    file: 'hub/replay.ts',
    from: 'cursor.offset - start.rewind)',
    to: 'cursor.offset - start.rewind + 1)',
  },
  {
    name: 'the history before a border holds the message at it',
    isShy: true,
    file: 'channels/reading.ts',
    from: 'if (before && last?.offset === position.offset) {',
    to: 'if (before && last?.offset === -1) {',
  },
  {
    name: 'the SDK repeats publishes that have no key',
    package: 'client-sdk',
    file: 'requests.ts',
    from: 'request.readOnly || request.repeatable?.()',
    to: 'request.sentAt !== undefined',
  },
  {
    name: 'the SDK lets a paused subscription go on where the others are',
    package: 'client-sdk',
    file: 'feed.ts',
    from: "if (this.#wire === 'on' && samePosition(reader.position, this.#cursor.position)) {",
    to: "if (this.#wire === 'on') {",
  },
  {
    name: 'the SDK takes a subscription that is ahead in another epoch for one that the wire will come by',
    package: 'client-sdk',
    file: 'audience.ts',
    from: 'if (!isHere && !isAhead && !isTested) {',
    to: 'if (stood.offset < since.offset) {',
  },
  {
    name: 'the SDK does not say where a slow loop misses messages of a live channel',
    package: 'client-sdk',
    file: 'subscription.ts',
    from: "inbox.drop({ type: 'lagged', event }, isLagged)",
    to: 'inbox.drop()',
  },
];
