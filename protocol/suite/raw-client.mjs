/** A WebSocket client that knows the bytes of frames and nothing of what they mean. */
import assert from 'node:assert/strict';
import { compactDialect } from '@fanfare/protocol/compact';
import { jsonDialect } from '@fanfare/protocol/json';
import { msgpackDialect } from '@fanfare/protocol/msgpack';
import { parseServerFrame } from '@fanfare/protocol/validate';
import WebSocket from 'ws';
import { Contiguity } from './contiguity.mjs';

export const DIALECTS = [jsonDialect, msgpackDialect, compactDialect];

/** How long an answer may take, ms, unless the target says. */
const ANSWER_MS = 10_000;

export class RawClient {
  dialect;
  /**
   * Frames in the order of arrival that nobody has taken yet. Pings are answered and left out; `position`
   * frames carry nothing and are left out too.
   */
  frames = [];
  /** Everything that arrived, as text or bytes. */
  wires = [];
  /** Resolves to `{ code, reason }`. */
  closed;
  /** Whether `ping` frames are answered. */
  answersPings = true;
  /** When the last `ping` came, ms since the Unix epoch. */
  pingedAtMs = 0;
  #socket;
  #contiguity = new Contiguity();
  /** The first thing that came and breaks the protocol, in words: whoever waits for a frame fails with it. */
  #violation;
  #answerMs;
  #lastId = 1000;
  #wake = () => {};
  #ended = false;

  /** Opens a socket and sends nothing; `subprotocols: []` names none. */
  static async open(target, subprotocols = [jsonDialect.subprotocol], options = {}) {
    const client = new RawClient(target, subprotocols, options);
    await client.#opened();
    return client;
  }

  /** Opens a socket and connects. `connected` is the reply. */
  static async connect(target, dialect = jsonDialect) {
    const client = await RawClient.open(target, [dialect.subprotocol]);
    client.connected = await client.request({ type: 'connect', client: 'fanfare-suite/1' });
    assert.equal(client.connected.type, 'connected', `connect was answered with ${JSON.stringify(client.connected)}`);
    return client;
  }

  constructor(target, subprotocols, options) {
    this.#socket = new WebSocket(target.url, subprotocols, { perMessageDeflate: false, ...options });
    this.#answerMs = target.answerMs ?? ANSWER_MS;
    this.dialect = DIALECTS.find(({ subprotocol }) => subprotocols.includes(subprotocol)) ?? jsonDialect;
    this.#socket.on('message', (data, isBinary) => {
      try {
        this.#receive(data, isBinary);
      } catch (error) {
        this.#violation ??= error.message;
      }
      this.#wake();
    });
    this.closed = new Promise((resolve) => {
      this.#socket.on('close', (code, reason) => {
        this.#ended = true;
        resolve({ code, reason: reason.toString() });
        this.#wake();
      });
    });
    target.onClient?.(this);
  }

  /** The subprotocol the gateway chose, `''` for none. */
  get subprotocol() {
    return this.#socket.protocol;
  }

  /** Sends a frame in this client's dialect. */
  send(frame) {
    this.sendWire(this.dialect.encode(frame));
  }

  /** Sends text, or bytes as a binary frame; `binary` says otherwise. */
  sendWire(wire, binary = typeof wire !== 'string') {
    this.#socket.send(wire, { binary });
  }

  /** Sends bytes as this dialect's kind of frame. */
  sendBytes(bytes) {
    this.sendWire(bytes, this.dialect.binary);
  }

  /** Sends a frame, with an `id` of its own unless it has one, and resolves to its reply or `error`. */
  async request(frame) {
    const request = { ...frame, id: frame.id ?? ++this.#lastId };
    this.send(request);
    return await this.take(({ id }) => id === request.id, `a reply to ${request.type}`);
  }

  /** Sends a request that must be answered with this type. */
  async ask(frame, type) {
    const reply = await this.request(frame);
    assert.equal(reply.type, type, `${frame.type} was answered with ${JSON.stringify(reply)}`);
    return reply;
  }

  /** Sends a request that must be refused with this code. */
  async refused(frame, code) {
    const reply = await this.ask(frame, 'error');
    assert.equal(reply.code, code, `${frame.type} was refused with ${JSON.stringify(reply)}`);
    return reply;
  }

  /** The next frame that matches; the others stay in line. */
  async take(matches = () => true, what = 'a frame') {
    const withinMs = this.#answerMs;
    const deadline = Date.now() + withinMs;
    for (;;) {
      assert.equal(this.#violation, undefined);
      const index = this.frames.findIndex(matches);
      if (index >= 0) return this.frames.splice(index, 1)[0];
      const leftMs = deadline - Date.now();
      if (this.#ended || leftMs <= 0) {
        const why = this.#ended ? `closed with ${JSON.stringify(await this.closed)}` : `nothing for ${withinMs} ms`;
        assert.fail(`waiting for ${what}: ${why}; in line: ${JSON.stringify(this.frames)}`);
      }
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** The next `count` messages of a channel. */
  async messages(channel, count) {
    const messages = [];
    while (messages.length < count) {
      const isNext = (frame) => frame.type === 'message' && frame.channel === channel;
      messages.push(await this.take(isNext, `message ${messages.length + 1} of ${count} on ${channel}`));
    }
    return messages;
  }

  /** Nothing may be in line or arrive for `ms`. */
  async quiet(ms = 250) {
    await new Promise((resolve) => setTimeout(resolve, ms));
    assert.equal(this.#violation, undefined);
    assert.deepEqual(this.frames, []);
  }

  /** The close that must come within `withinMs`. */
  async closedWithin(withinMs = this.#answerMs) {
    const timeout = new Promise((resolve) => setTimeout(resolve, withinMs, undefined).unref());
    const close = await Promise.race([this.closed, timeout]);
    assert.ok(close, `still open after ${withinMs} ms; in line: ${JSON.stringify(this.frames)}`);
    return close;
  }

  close(code = 1000) {
    this.#socket.close(code);
  }

  terminate() {
    this.#socket.terminate();
  }

  #opened() {
    return new Promise((resolve, reject) => {
      this.#socket.on('open', resolve);
      this.#socket.on('error', reject);
    });
  }

  #receive(data, isBinary) {
    assert.equal(isBinary, this.dialect.binary, `a ${this.dialect.name} frame is ${isBinary ? 'binary' : 'text'}`);
    const wire = isBinary ? new Uint8Array(data) : data.toString();
    this.wires.push(wire);
    for (const frame of this.dialect.decodeAll(wire)) this.#accept(frame);
  }

  #accept(frame) {
    const parsed = parseServerFrame(frame);
    assert.ok(!parsed || parsed.ok, `${JSON.stringify(frame)} breaks a rule: ${parsed?.message}`);
    if (frame.type === 'ping') {
      this.pingedAtMs = Date.now();
      if (this.answersPings) this.send({ type: 'pong' });
      return;
    }
    this.#violation ??= this.#contiguity.take(frame);
    if (frame.type !== 'position') this.frames.push(frame);
  }
}
