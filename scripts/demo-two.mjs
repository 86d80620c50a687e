/**
 * `npm run demo:two [-- --port n]`: starts two gateways over a local `redis-server`, and a front that hands each new
 * connection to the next gateway that lives. A button of the page ends the gateway that the page is on by kill -9; it
 * is started again some seconds later. Everything ends with this process.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { request as ask, createServer } from 'node:http';
import { connect, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { build, fail, root } from './workspace.mjs';

const NAMES = ['gateway-a', 'gateway-b'];
/** How long a gateway that was killed stays away, ms. */
const AWAY_MS = 6_000;

const { values } = parseArgs({ options: { port: { type: 'string', default: '8080' } } });
await build();
const folder = mkdtempSync(path.join(tmpdir(), 'fanfare-demo-'));
const children = new Set();
let ending = false;
function end(code) {
  ending = true;
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
  process.exit(code);
}
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => end(0));

function run(program, args, env = {}) {
  const child = spawn(program, args, {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

async function freePort() {
  const server = createTcpServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  return port;
}

const redisPort = await freePort();
run('redis-server', ['--port', redisPort, '--bind', '127.0.0.1', '--save', '', '--dir', folder]).on('error', () => {
  process.stderr.write('demo:two needs redis-server 7 or later: sudo apt-get install redis-server\n');
  end(1);
});

/** The gateways that serve, by name. A gateway that is missing was killed. */
const living = new Map();
async function startGateway(name) {
  const port = await freePort();
  const child = run(process.execPath, [path.join(root, 'gateway/bin/fanfare.mjs'), 'serve'], {
    FANFARE_NODE: name,
    FANFARE_PORT: String(port),
    FANFARE_REDIS_URL: `redis://127.0.0.1:${redisPort}`,
    FANFARE_LOG_LEVEL: 'error',
  });
  child.once('exit', () => {
    living.delete(name);
    if (!ending) setTimeout(() => startGateway(name), AWAY_MS);
  });
  while (child.exitCode === null && child.signalCode === null) {
    const ready = await fetch(`http://127.0.0.1:${port}/health/ready`).catch(() => undefined);
    if (ready?.ok) {
      living.set(name, { child, port });
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
await Promise.all(NAMES.map(startGateway));

let turn = 0;
const nextPort = () => [...living.values()][turn++ % living.size]?.port;

const front = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'http://front');
  if (request.method === 'POST' && pathname === '/demo/kill') {
    const gateway = living.get(searchParams.get('node'));
    gateway?.child.kill('SIGKILL');
    response.writeHead(gateway ? 204 : 404).end();
    return;
  }
  const { method, url, headers } = request;
  const upstream = ask({ host: '127.0.0.1', port: nextPort() ?? 1, method, path: url, headers }, (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
  });
  upstream.on('error', () => (response.headersSent ? response.destroy() : response.writeHead(502).end()));
  request.pipe(upstream);
});
front.on('upgrade', ({ method, url, rawHeaders }, client, head) => {
  const upstream = connect(nextPort() ?? 1, '127.0.0.1');
  const lines = [];
  for (let n = 0; n < rawHeaders.length; n += 2) lines.push(`${rawHeaders[n]}: ${rawHeaders[n + 1]}`);
  upstream.write(`${method} ${url} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
  upstream.write(head);
  client.pipe(upstream).pipe(client);
  for (const [one, other] of [
    [client, upstream],
    [upstream, client],
  ]) {
    one.on('error', () => other.destroy());
    one.on('close', () => other.destroy());
  }
});
front.on('error', ({ message }) => fail(message));
front.listen(Number(values.port), '127.0.0.1');
await once(front, 'listening');
process.stdout.write(
  `two gateways over one Redis: http://localhost:${front.address().port}/?gateways=2 (Ctrl-C ends all of it)\n`,
);
