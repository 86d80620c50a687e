import { createServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { runCommand } from '../src/cli/commands.js';

/** Runs a command in this process; `stop` is its SIGTERM. */
function fanfare(argv: readonly string[], env: Readonly<Record<string, string>> = {}) {
  let stop: (signal: string) => void = () => undefined;
  const stopped = new Promise<string>((resolve) => {
    stop = resolve;
  });
  const output = { out: '', err: '' };
  const code = runCommand(argv, {
    env,
    cwd: '/nowhere',
    out: (text) => {
      output.out += text;
    },
    err: (text) => {
      output.err += text;
    },
    untilStopped: () => stopped,
  });
  return { code, output, stop: () => stop('SIGTERM') };
}

/** A gateway on a free port; its URL. */
async function serve(...flags: string[]) {
  const server = fanfare(['serve', '--port', '0', ...flags]);
  onTestFinished(async () => {
    server.stop();
    await server.code;
  });
  await expect.poll(() => server.output.out + server.output.err, { timeout: 10_000 }).toContain('listening');
  const url = /url=(\S+)/.exec(server.output.out)?.[1] ?? '';
  return { ...server, url };
}

describe.each(['uws', 'ws'])('serve over %s', (transport) => {
  it('answers until it is told to stop', async () => {
    const { url, stop, code, output } = await serve('--transport', transport);
    expect((await fetch(`${url}/health/ready`)).status).toBe(200);
    stop();
    expect(await code).toBe(0);
    expect(output.out).toMatch(/listening.*transport=(uws|ws).*stopping signal=SIGTERM.*stopped/s);
    await expect(fetch(`${url}/health/live`)).rejects.toThrow();
  });

  it('takes what publish sends, and publish tells what it answers', async () => {
    const { url } = await serve('--transport', transport);
    const publish = fanfare(['publish', 'demo:a', '{"n":1}', '--idempotency-key', 'k', '--tag', 'a=b'], {
      FANFARE_URL: url,
    });
    expect(await publish.code).toBe(0);
    expect(JSON.parse(publish.output.out)).toMatchObject({ channel: 'demo:a', offset: 1 });
    const answer = await fetch(`${url}/v1/history?channel=demo:a`, { headers: { authorization: 'Bearer dev' } });
    expect(await answer.json()).toMatchObject({
      messages: [{ data: { n: 1 }, offset: 1, key: 'k', tags: { a: 'b' } }],
    });
    const refused = fanfare(['publish', 'demo:a', '1', '--url', url, '--key', 'wrong']);
    expect([await refused.code, refused.output.err]).toEqual([
      1,
      expect.stringContaining('unauthorized: give an API key'),
    ]);
  });

  it('keeps health and metrics off the public port where they have their own', async () => {
    const { url, output } = await serve('--transport', transport, '--health-port', '0');
    const port = /healthPort=(\d+)/.exec(output.out)?.[1];
    expect((await fetch(`${url}/metrics`)).status).toBe(404);
    expect((await fetch(`http://127.0.0.1:${port}/metrics`)).status).toBe(200);
  });

  it('says in one line that its port is taken', async () => {
    const blocker = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void blocker.close());
    await new Promise((resolve) => blocker.once('listening', resolve));
    const { port } = blocker.address() as { port: number };
    const { code, output } = fanfare(['serve', '--transport', transport, '--port', String(port)]);
    expect(await code).toBe(1);
    expect(output.err).toBe(`fanfare serve: port ${port} on 127.0.0.1 is taken\n`);
  });
});

it('publish says in one line that no gateway answers', async () => {
  const { code, output } = fanfare(['publish', 'demo:a', '1', '--url', 'http://127.0.0.1:1']);
  expect(await code).toBe(1);
  expect(output.err).toMatch(/^fanfare publish: no gateway answers at http:\/\/127\.0\.0\.1:1: .*\n$/);
});
