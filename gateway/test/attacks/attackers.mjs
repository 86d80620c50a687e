/**
 * `node attackers.mjs <attack> <port> <scale> <token>`: attacks the gateway on that port from 127.0.0.2 until its
 * standard input ends, and then prints as JSON what it did. `scale` is how many sockets it uses, `token` one of a real user.
 */
import http from 'node:http';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import WebSocket from 'ws';

const [name, port, scale, token] = process.argv.slice(2);
const count = Number(scale);
const localAddress = '127.0.0.2';
const url = `ws://127.0.0.1:${port}/ws`;
const done = {};
let isOver = false;
process.stdin.resume().once('end', () => {
  isOver = true;
});
const tally = (what, by = 1) => {
  done[what] = (done[what] ?? 0) + by;
};

/** A socket that lives until its `act` ends it or the gateway does, again and again. */
async function eachSocket(act) {
  const lives = Array.from({ length: count }, async (_, nth) => {
    while (!isOver) {
      tally('sockets');
      await act(nth);
      // What cannot even connect must not spin.
      await sleep(5);
    }
  });
  await Promise.all(lives);
}

/** Connects, and is told when it is in; resolves once it has ended. */
function withSocket(onConnected, { connect = { type: 'connect', id: 1, token }, onFrame = () => {} } = {}) {
  return new Promise((resolve) => {
    const socket = new WebSocket(url, { localAddress, perMessageDeflate: false });
    let timer;
    const end = () => {
      clearInterval(timer);
      resolve();
    };
    socket.on('error', () => {});
    socket.on('close', (code) => {
      tally(`closed ${code}`);
      end();
    });
    socket.on('open', () => {
      if (connect) socket.send(JSON.stringify(connect));
      else onConnected(socket);
    });
    socket.on('message', (data) => {
      const text = String(data);
      if (connect && text.includes('"connected"')) onConnected(socket);
      onFrame(text);
    });
    timer = setInterval(() => isOver && socket.terminate(), 20);
  });
}

/** Sends what `next` gives, as fast as the socket takes it. */
function flood(socket, next) {
  const more = () => {
    if (isOver || socket.readyState !== WebSocket.OPEN) return;
    for (let n = 0; n < 100 && socket.bufferedAmount < 256 * 1024; n++) {
      socket.send(next());
      tally('frames');
    }
    setTimeout(more, 1);
  };
  more();
}

/** A bare TCP connection that sends `head` at once, and then a byte now and then. */
function dripping(head, drop) {
  return new Promise((resolve) => {
    const socket = net.connect({ host: '127.0.0.1', port: Number(port), localAddress });
    socket.on('error', () => {});
    let timer;
    socket.on('connect', () => {
      socket.write(head);
      timer = setInterval(() => {
        if (isOver) socket.destroy();
        else socket.write(drop);
      }, 100);
    });
    socket.resume();
    socket.on('close', () => {
      clearInterval(timer);
      resolve();
    });
  });
}

let names = 0;
let ids = 1;
const attacks = {
  'slow handshakes': () =>
    eachSocket(() => dripping('GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nX-Slow: ', 'a')),
  'sockets that say nothing': () => eachSocket(() => withSocket(() => {}, { connect: undefined })),
  'slow bodies': () =>
    eachSocket((nth) =>
      dripping(
        `POST /v1/publish HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${nth % 2 ? 'wrong' : 'key-of-the-attacker'}\r\nContent-Length: 8000000\r\n\r\n{`,
        ' '.repeat(2_000),
      ),
    ),
  'frame flood': () => eachSocket(() => withSocket((socket) => flood(socket, () => `{"type":"wave","id":${++ids}}`))),
  'malformed flood': () => eachSocket(() => withSocket((socket) => flood(socket, () => '{"type":'))),
  'subscription flood': () =>
    eachSocket(() =>
      withSocket((socket) =>
        flood(socket, () => {
          const channel = `room:${ids % 1_000}`;
          return JSON.stringify({ type: ids % 2 ? 'subscribe' : 'unsubscribe', id: ++ids, channel, rewind: 100 });
        }),
      ),
    ),
  'reconnect flood': () => eachSocket(() => withSocket((socket) => socket.terminate())),
  'giant frames': () => {
    const giant = Buffer.alloc(4 * 1024 * 1024, 0x20);
    const large = JSON.stringify({ type: 'publish', id: 2, channel: 'room:x', data: 'x'.repeat(200_000) });
    return eachSocket((nth) => withSocket((socket) => flood(socket, () => (nth % 2 ? giant : large))));
  },
  'unread sockets': () =>
    eachSocket(() =>
      withSocket((socket) => {
        socket.pause();
        for (let n = 0; n < 50; n++)
          socket.send(JSON.stringify({ type: 'history', id: ++ids, channel: 'big:0', limit: 1000 }));
        socket.send(JSON.stringify({ type: 'subscribe', id: ++ids, channel: 'big:0', rewind: 1000 }));
      }),
    ),
  'distinct channels': () =>
    eachSocket(() =>
      withSocket(
        (socket) => {
          const more = () => {
            if (isOver || socket.readyState !== WebSocket.OPEN) return;
            for (let n = 0; n < 20; n++)
              socket.send(JSON.stringify({ type: 'subscribe', id: ++ids, channel: `room:n${++names}` }));
            setTimeout(more, 100);
          };
          more();
        },
        { onFrame: (text) => tally(text.includes('"subscribed"') ? 'subscribed' : 'other frames') },
      ),
    ),
  'distinct channels by HTTP': async () => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 20, localAddress });
    const publish = () =>
      new Promise((resolve) => {
        const messages = Array.from({ length: 1_000 }, () => ({ channel: `room:h${++names}`, data: 1 }));
        const headers = { authorization: 'Bearer key-of-the-attacker' };
        const request = http.request({ host: '127.0.0.1', port, path: '/v1/publish', method: 'POST', agent, headers });
        request.on('error', resolve);
        request.on('response', (response) => response.resume().on('end', resolve).on('error', resolve));
        request.end(JSON.stringify({ messages }));
      });
    // Each name once: a hundred thousand is what one can make in a hundred requests.
    while (!isOver && names < 100_000) await Promise.all([publish(), publish()]);
    tally('names', names);
    agent.destroy();
  },
  'token flood': () => {
    const forge = () => `${token.slice(0, token.lastIndexOf('.') + 1)}${Buffer.alloc(64, ++ids).toString('base64url')}`;
    return eachSocket((nth) =>
      nth % 2
        ? withSocket(() => {}, { connect: { type: 'connect', id: 1, token: forge() } })
        : withSocket((socket) => flood(socket, () => JSON.stringify({ type: 'refresh', id: ++ids, token: forge() }))),
    );
  },
};

if (!attacks[name]) throw new Error(`no attack is called ${name}`);
process.stdout.write('ready\n');
await attacks[name]();
process.stdout.write(`${JSON.stringify(done)}\n`);
process.exit(0);
