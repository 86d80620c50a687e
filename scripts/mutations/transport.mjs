/** Faults in how bytes come and go. */
import { of } from './of.mjs';

export default [
  ...of('gateway/src/transport/uws-socket.ts', 'gateway/test/transport.test.ts', [
    ['uws: a drop is never told', 'this.#notices.add(this);', '', { tests: 'drops for many subscribers' }],
    ['uws: what is sent is told as buffered', "status === 1 ? 'sent' : ", '', { tests: 'says of direct sends' }],
    [
      'uws: it closes before what waits has left',
      'if (ws.getBufferedAmount() === 0) {',
      'if (ws.getBufferedAmount() >= 0) {',
      { tests: 'sends what waits before it closes' },
    ],
    [
      'uws: what comes after the end is told',
      'if (this.#ws !== undefined && this.#closing === undefined) this.session.onMessage',
      'if (this.#ws !== undefined) this.session.onMessage',
      { tests: 'sends what waits before it closes' },
    ],
    [
      'uws: a native socket that is gone is used',
      '    this.#ws = undefined;\n',
      '',
      { tests: 'takes every call after the end' },
    ],
  ]),
  ...of('gateway/src/transport/ws-socket.ts', 'gateway/test/transport.test.ts', [
    [
      'ws: a drop is never told',
      'if (!this.#dropUntold) this.#context.notices.add(this);',
      '',
      { tests: 'drops for many subscribers' },
    ],
    [
      'ws: what waited is counted for ever',
      'this.#waitingBytes -= Buffer.byteLength(frame);',
      '',
      { tests: 'reports draining|drops for many' },
    ],
    [
      'ws: there is no limit to what waits',
      'if (this.bufferedBytes > this.#context.maxBufferedBytes) {',
      'if (this.bufferedBytes < 0) {',
      { tests: 'holds a bounded amount' },
    ],
    [
      'ws: it closes before what waits has left',
      'if (!this.#behind) this.#ws.close',
      'this.#ws.close',
      { tests: 'sends what waits before it closes' },
    ],
    [
      'ws: a socket that is gone stays on its topics',
      '    for (const topic of this.#topics) this.#context.topics.remove(topic, this);\n',
      '',
      { tests: 'forgets the topics' },
    ],
    ['ws: progress of a slow reader is not told', '      this.session.onDrain();\n', '', { tests: 'reports draining' }],
    [
      'ws: the peer tells with which code it was closed',
      'code !== 1006 && this.#closing ? this.#closing : { code, reason }',
      '{ code, reason }',
      { tests: 'closes with code and reason' },
    ],
  ]),
  ...of('gateway/src/transport/drop-notices.ts', 'gateway/src/transport/drop-notices.test.ts', [
    ['a drop is told once, and then no more', 'this.#scheduled = false;', ''],
    ['a drop is told for ever', 'this.#waiting = [];', ''],
  ]),
  ...of('gateway/src/transport/http-body.ts', 'gateway/src/transport/http-body.test.ts', [
    ['bodies have all the room there is', 'if (bytes > this.#free) return false;', ''],
    ['the room of a body is never given back', 'this.#room.giveBack(this.#buffer.length);', ''],
    ['a body may be one byte too large', 'if (needed > this.#maxBytes)', 'if (needed > this.#maxBytes + 1)'],
    ['what came before is lost where a body grows', 'larger.set(this.#buffer.subarray(0, this.#length));', ''],
    ['a body takes room twice', 'this.#room.take(capacity - this.#buffer.length)', 'this.#room.take(capacity)'],
  ]),
  ...of('gateway/src/transport/client-address.ts', 'gateway/src/transport/client-address.test.ts', [
    ['anybody may say whose request it is', '!isProxy(client) || ', ''],
    ['the first hop is believed', "forwardedFor.split(',').reverse()", "forwardedFor.split(',')"],
  ]),
  ...of('gateway/src/transport/uws.ts', 'gateway/test/transport.test.ts', [
    [
      'uws: who came by an older certificate hears nothing more',
      '      for (const { app } of former) app.publish(topic, frame, binary);\n',
      '',
      { tests: 'shows a renewed certificate' },
    ],
    [
      'uws: who came by an older certificate is not counted',
      '      for (const { app } of former) count += app.numSubscribers(topic);\n',
      '',
      { tests: 'shows a renewed certificate' },
    ],
    [
      'uws: a renewed certificate opens a port that was closed',
      '      address = undefined;\n',
      '',
      { tests: 'refuses a certificate that is not of the key' },
    ],
    [
      'uws: the line of the client hides that of the proxy',
      "clientAddress(peer, listHeader(request, 'x-forwarded-for'))",
      "clientAddress(peer, request.getHeader('x-forwarded-for'))",
      { tests: 'tells the address that a trusted proxy tells' },
    ],
  ]),
  ...of('gateway/src/transport/uws-http.ts', 'gateway/test/transport.test.ts', [
    [
      'uws: a body may take as long as it likes',
      '        this.#deadline ??= setTimeout(() => this.#giveUp(), this.#context.requestMs).unref();\n',
      '',
      { tests: 'ends who takes too long' },
    ],
    [
      'uws: a body that came in time is given up',
      '      clearTimeout(this.#deadline);\n      this.#isReading = false;\n',
      '      this.#isReading = false;\n',
      { tests: 'ends who takes too long' },
    ],
  ]),
  ...of('gateway/src/transport/ws-http.ts', 'gateway/test/transport.test.ts', [
    [
      'ws: slow peers are not told of',
      "  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') onSlow(isReading ? 'httpRequestMs' : 'httpHeadMs');\n",
      '',
      { tests: 'ends who takes too long' },
    ],
    [
      'ws: slow handshakes are not told of',
      "  if (error.code === 'ERR_TLS_HANDSHAKE_TIMEOUT') onSlow('httpHeadMs');\n",
      '',
      { tests: 'ends who takes too long' },
    ],
  ]),
  ...of('gateway/src/transport/ws.ts', 'gateway/test/transport.test.ts', [
    [
      'ws: the first certificate is shown for ever',
      'if (tls) secure?.setSecureContext(readCertificate(tls));',
      'if (tls) readCertificate(tls);',
      { tests: 'shows a renewed certificate' },
    ],
  ]),
];
