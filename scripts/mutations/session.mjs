/** Faults in the clients of a gateway. */
import { of } from './of.mjs';

export default [
  ...of('gateway/src/session/violations.ts', 'gateway/src/session/violations.test.ts', [
    ['ten violations in a day end a connection', ' < VIOLATIONS_WINDOW_MS;', ' >= 0;'],
  ]),
  ...of('gateway/src/session/memberships.ts', 'gateway/src/session/memberships.test.ts', [
    ['who starts over is on the channel twice', 'earlier?.leave();', ''],
    ['who joins is taken off with a lag', 'if (!membership.isLive) continue;', ''],
    [
      'the end of an earlier membership ends the later one',
      'if (this.#memberships.get(channel) !== membership) return;',
      '',
      {
        equivalent:
          'whoever starts over ends the earlier one before the later one is there, and nothing that has left reports a failure',
      },
    ],
    ['a channel token outlives the subscription', 'this.#grants?.delete(channel);', ''],
    ['what the gateway did is already subscribed', ' && !this.#unasked?.has(channel)', ''],
    ['a second subscribe is the first one for ever', 'else this.#unasked?.delete(channel);', ''],
    ['what was left is told as lagged', '    }\n    this.#untold?.delete(channel);', '    }'],
    [
      'lagged is told again and again',
      '    const untold = [...(this.#untold ?? [])];\n    this.#untold = undefined;',
      '    const untold = [...(this.#untold ?? [])];',
    ],
    ['there is no limit of channels', 'if (!isOn && this.#memberships.size >= this.#limit)', 'if (this.#limit < 0)'],
    ['who could not be served stays', "this.#remove(name, membership, 'failed');", ''],
  ]),
  ...of('gateway/src/session/socket-writer.ts', 'gateway/src/session/socket-writer.test.ts', [
    ['frames follow the hole', 'if (this.#lag || this.#isEnded) return false;', 'if (this.#isEnded) return false;'],
    ['replies that waited are lost', 'for (const wire of lag.replies.items) this.send(wire);', ''],
    [
      'lagged is told behind the replies',
      'if (notice !== undefined) this.send(notice);\n        for (const wire of lag.replies.items) this.send(wire);',
      'for (const wire of lag.replies.items) this.send(wire);\n        if (notice !== undefined) this.send(notice);',
    ],
    ['a frame larger than the buffer ends it all', 'this.#clock.soon(() => this.#catchUp());', ''],
    ['a lag leaves the client on its topics', 'this.#writing.onLag();', ''],
    ['who waits for a client that is gone waits for ever', 'this.#draining?.end();', ''],
    ['who replays is not woken', 'this.#draining?.wake();', ''],
    [
      'a client that reads nothing begins to each time',
      'this.#stalledSinceMs ??= nowMs;',
      'this.#stalledSinceMs = nowMs;',
    ],
    [
      'it has caught up while something waits',
      'if (this.#isEnded || this.#socket.bufferedBytes > 0) return;',
      'if (this.#isEnded) return;',
    ],
    [
      'replies wait without bounds',
      'if (lag && !lag.replies.add(wire)) this',
      'if (lag && !lag.replies.add(wire) && wire.length < 0) this',
    ],
    [
      'replies of one turn leave one by one',
      '      this.#soon.push(wire);\n      return;',
      '      this.send(wire);\n      return;',
    ],
  ]),
  ...of('gateway/src/session/liveness.ts', 'gateway/src/session/liveness.test.ts', [
    [
      'a process that stood still accuses its clients',
      'if (now - this.#ranAtMs > pingIntervalMs / BUCKETS + STANDSTILL_MS) this.#awakeSinceMs = now;',
      '',
    ],
    [
      'who has caught up is closed all the same',
      'caughtUp(session: Living): void {\n    this.#lagging.delete(session);',
      'caughtUp(session: Living): void {',
    ],
    ['who is gone is pinged', '    topic.leave(session);\n', ''],
    ['all are pinged at the same time', 'this.#accepted++ % BUCKETS', '0'],
    [
      'who has said who it is is closed for not doing so',
      '    this.#connecting.delete(session);\n    // Buckets are taken in turn',
      '    // Buckets are taken in turn',
    ],
    [
      'a client that is silent is kept',
      "if (age(session.lastSeenMs) >= pingIntervalMs + pongTimeoutMs) session.close(4002, 'no sign of life');\n      else if",
      'if',
    ],
    [
      'a client that reads nothing is kept',
      'age(session.stalledSinceMs(now) ?? now) >= lagMs',
      'age(session.stalledSinceMs(now) ?? now) < 0',
    ],
    ['one deadline that is over ends all', 'if (age(session.openedAtMs) < connectTimeoutMs) break;', ''],
  ]),
  ...of('gateway/src/session/drain-queue.ts', 'gateway/src/session/drain-queue.test.ts', [
    [
      'all send at once what one socket has room for',
      'if (this.#waiting.isEmpty || !this.#isDrained()) return;',
      'if (this.#waiting.isEmpty) return;',
    ],
    ['only the first is woken', 'this.#clock.soon(() => this.wake());', ''],
  ]),
  ...of('gateway/src/session/bounded-queue.ts', 'gateway/src/session/bounded-queue.test.ts', [
    ['empty items cost nothing', 'ITEM_BYTES + (', '0 + ('],
  ]),
  ...of('gateway/src/session/frame-guard.ts', 'gateway/src/session/frame-guard.test.ts', [
    ['every resume is free', 'this.#freeResumes++ <', 'this.#freeResumes <'],
    ['a resume in vain is free', 'this.#ratesAt(now).chargeCommand(now);', ''],
    ['a new name costs nothing', 'this.#newNamesAt(now)?.charge(1, now);', ''],
  ]),
  ...of('gateway/src/session/admission.ts', 'gateway/src/session/admission.test.ts', [
    ['one connection more than may be', 'if (open >= connections)', 'if (open > connections)'],
    [
      'one connection of an address more than may be',
      'if (atAddress >= connectionsPerIp)',
      'if (atAddress > connectionsPerIp)',
    ],
    [
      'all come back at the same time',
      'const retryAfterMs = Math.round(waitMs + this.#clock.random() * RETRY_SPREAD_MS)',
      'const retryAfterMs = Math.round(waitMs)',
    ],
  ]),
  ...of('gateway/src/session/expiry.ts', 'gateway/src/session/expiry.test.ts', [
    [
      'what expires is looked for once',
      '    for (const session of this.#sessions) session.expire(nowMs);\n    this.#timer = this.#clock.after(SWEEP_INTERVAL_MS, () => this.#sweep());',
      '    for (const session of this.#sessions) session.expire(nowMs);',
    ],
  ]),
  ...of('gateway/src/session/standing.ts', 'gateway/src/session/standing.test.ts', [
    ['a new token takes nothing away', "if (access.isRefused(client, 'subscribe', name))", 'if (client.isClosed)'],
    [
      'a client that is gone is put on channels',
      'if (client.isClosed || client.memberships.has(name)) return;',
      'if (client.memberships.has(name)) return;',
      { equivalent: 'it is looked again behind the decision' },
    ],
  ]),
  ...of('gateway/src/session/channel-turns.ts', 'gateway/src/session/channel-turns.test.ts', [
    [
      'a publish does not wait for the subscribe before it',
      'const preparing = latest?.move ? latest.move.then(prepare) : prepare();',
      'const preparing = prepare();',
    ],
    ['a task that failed holds up the others', 'task.then(end, end)', 'task.then(end)'],
  ]),
  ...of('gateway/src/session/acceptor.ts', 'gateway/src/session/acceptor.test.ts', [
    [
      'every page may connect',
      "if (!isAllowedOrigin(request.header('origin'), request.header('host'))) {",
      'if (sessions.isDraining) {',
    ],
    [
      'a gateway that stops takes connections',
      "if (sessions.isDraining) return { accept: false, status: 503, body: 'the gateway stops' };",
      '',
    ],
  ]),
  ...of('gateway/src/rate-limiter.ts', 'gateway/src/rate-limiter.test.ts', [
    [
      'rates are saved up for ever',
      'Math.min(this.#atOnce, this.#tokens + Math.max(0, earned))',
      'this.#tokens + Math.max(0, earned)',
    ],
    ['what is refused is paid for', 'if (waitMs === 0) this.#tokens -= amount;', 'this.#tokens -= amount;'],
    ['a clock that steps back takes tokens', 'Math.max(0, earned)', 'earned'],
    ['what is larger than the bucket never passes', 'Math.min(amount, this.#atOnce)', 'amount'],
    [
      'what was spent already is for nothing',
      '    this.#fill(nowMs);\n    this.#tokens -= amount;',
      '    this.#fill(nowMs);',
    ],
  ]),
  ...of('gateway/src/semaphore.ts', 'gateway/src/semaphore.test.ts', [
    [
      'a place that is handed over is free as well',
      'if (next) next();\n      else this.#running--;',
      'next?.();\n      this.#running--;',
    ],
    [
      'a task that fails keeps its place',
      '    try {\n      return await task();\n    } finally {',
      '    const result = await task();\n    try {\n      return result;\n    } finally {',
    ],
  ]),
  ...of('gateway/src/patience.ts', 'gateway/src/patience.test.ts', [
    ['a login that is refused is waited for', ' || isLasting(error.message)', ''],
    ['waiting cannot be given up', '      signal?.throwIfAborted();\n      onWaiting', '      onWaiting'],
  ]),
  ...of('gateway/src/workers/worker-handle.ts', 'gateway/src/workers/worker-handle.test.ts', [
    ['a worker that answers is killed', '      this.#unanswered = 0;\n', ''],
    ['a worker that hangs is kept', 'if (this.#unanswered === MAX_UNANSWERED) {', 'if (this.#unanswered < 0) {'],
    ['a worker that is gone is asked and killed', '        this.#cancelTimer();\n        resolve', '        resolve'],
    ['a worker that waits for Redis is killed', "else if (message.type === 'waiting') this.#lives();", ''],
    ['metrics are those of another question', 'const id = ++this.#collects;', 'const id = this.#collects;'],
  ]),
  ...of('gateway/src/session/fanfare/speaker.ts', 'gateway/src/session/fanfare/speaker.test.ts', [
    ['what came behind connect is lost', '      if (!client.isClosed) this.#receive(data);\n', ''],
    [
      'who was refused has its frames run',
      'if (client.isClosed) return;\n    this.#state',
      'this.#state',
      {
        equivalent:
          'a refused client is not accepted; this is for one that went away meanwhile, whose calls do nothing',
      },
    ],
    [
      'a connection may begin with anything',
      "this.#onMalformed('the first frame must be connect', idOf(read.frame));",
      '',
    ],
    [
      'a new type of frame counts as malformed',
      "if (this.#state !== 'connected' || read.isKnownType)",
      'if (this.#client)',
    ],
    ['a resume is free for ever', 'clock.now() - this.#client.openedAtMs < resumeGraceMs && ', ''],
    ['what is too large is read', 'data.length > this.#options.maxFrameBytes', 'data.length < 0'],
    [
      'a fault of ours says not to come again',
      "retryable || code === 'internal' ? 4003 : 4401",
      'retryable ? 4003 : 4401',
    ],
  ]),
];
