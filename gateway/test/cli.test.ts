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
  await expect.poll(() => server.output.out + server.output.err, { timeout: 40_000 }).toContain('listening');
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

  it('is found by whichever URL names it, and takes a negative number', async () => {
    const { url } = await serve('--transport', transport);
    const { host } = new URL(url);
    for (const name of [url, `ws://${host}/ws`, host]) {
      const publish = fanfare(['publish', 'demo:a', '-5', '--url', name]);
      expect([await publish.code, publish.output.err]).toEqual([0, '']);
      const tail = fanfare(['tail', 'demo:a', '--rewind', '1', '--count', '1', '--url', name]);
      expect([await tail.code, JSON.parse(tail.output.out)]).toMatchObject([0, { data: -5 }]);
    }
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

describe('tail', () => {
  it('prints what was published before and after it came, and ends after so many', async () => {
    const { url } = await serve();
    const send = (n: number) => fanfare(['publish', 'demo:a', `{"n":${n}}`, '--url', url]).code;
    for (const n of [1, 2, 3]) await send(n);
    const tail = fanfare(['tail', 'demo:a', '--rewind', '2', '--count', '4', '--url', url]);
    await expect.poll(() => tail.output.out.split('\n').length).toBe(3);
    for (const n of [4, 5]) await send(n);
    expect(await tail.code).toBe(0);
    const lines = tail.output.out.trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject(
      [2, 3, 4, 5].map((n) => ({ offset: n, data: { n } })),
    );
  });

  it('begins with what is new at --rewind 0', async () => {
    const { url } = await serve();
    await fanfare(['publish', 'demo:a', '1', '--url', url]).code;
    const tail = fanfare(['tail', 'demo:a', '--rewind', '0', '--count', '1', '--url', url]);
    await expect.poll(() => tail.output.err).toContain('(connected)');
    await fanfare(['publish', 'demo:a', '2', '--url', url]).code;
    expect([await tail.code, JSON.parse(tail.output.out)]).toMatchObject([0, { data: 2 }]);
  });

  it('goes on after a message that it printed, and tells when the log cannot', async () => {
    const { url } = await serve();
    for (const n of [1, 2, 3]) await fanfare(['publish', 'demo:a', `${n}`, '--url', url]).code;
    const first = fanfare(['tail', 'demo:a', '--rewind', '3', '--count', '1', '--url', url]);
    expect(await first.code).toBe(0);
    const { epoch, offset } = JSON.parse(first.output.out) as { epoch: string; offset: number };
    const rest = fanfare(['tail', 'demo:a', '--since', `${epoch}-${offset}`, '--count', '2', '--url', url]);
    expect(await rest.code).toBe(0);
    const lines = rest.output.out.trimEnd().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { data: unknown }).data)).toEqual([2, 3]);
    const lost = fanfare(['tail', 'demo:a', '--since', '1-1', '--url', url]);
    await expect.poll(() => lost.output.err).toMatch(/\(reset: unrecoverable, now at \d+-3\)/);
    lost.stop();
    await lost.code;
  });

  it('says why it has no connection, and when it tries again', async () => {
    const tail = fanfare(['tail', 'demo:a', '--url', 'http://127.0.0.1:1']);
    await expect
      .poll(() => tail.output.err)
      .toMatch(
        /\(waiting: no connection to http:\/\/127\.0\.0\.1:1\/: connect ECONNREFUSED 127\.0\.0\.1:1; next try in \d\.\d s\)/,
      );
    tail.stop();
    expect(await tail.code).toBe(0);
  });

  it('ends in good order when it is told to stop', async () => {
    const { url } = await serve();
    const tail = fanfare(['tail', 'live:a', '--url', url]);
    await expect.poll(() => tail.output.err).toContain('(connected)');
    tail.stop();
    expect(await tail.code).toBe(0);
  });

  it('spells binary data as the HTTP API does', async () => {
    const { url } = await serve();
    await fanfare(['publish', 'demo:a', '{"$binary":"AQI="}', '--url', url]).code;
    const tail = fanfare(['tail', 'demo:a', '--rewind', '1', '--count', '1', '--url', url]);
    expect(await tail.code).toBe(0);
    expect(JSON.parse(tail.output.out)).toMatchObject({ data: { $binary: 'AQI=' } });
  });

  it('says why the gateway refuses', async () => {
    const { url } = await serve();
    const tail = fanfare(['tail', 'no:a', '--url', url]);
    expect(await tail.code).toBe(1);
    expect(tail.output.err).toContain('fanfare tail: unknown_channel: ');
  });
});

it('publish says in one line that no gateway answers', async () => {
  const { code, output } = fanfare(['publish', 'demo:a', '1', '--url', 'http://127.0.0.1:1']);
  expect(await code).toBe(1);
  expect(output.err).toMatch(/^fanfare publish: no gateway answers at http:\/\/127\.0\.0\.1:1: .*\n$/);
});
