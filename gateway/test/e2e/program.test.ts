/** The `fanfare` program as a process: signals and exit codes. */
import { once } from 'node:events';
import { expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { startGatewayProcess } from '../support/gateway-process.js';
import { fanfare, startFanfare } from '../support/program.js';

it('exits 0, 1 or 2, with what it has to say on stdout or stderr', async () => {
  expect(await fanfare(['config'], { FANFARE_PORT: '1' })).toMatchObject({ code: 0, stderr: '' });
  const wrong = await fanfare(['serve'], { NODE_ENV: 'production', FANFARE_PORT: '-1' });
  expect(wrong).toMatchObject({ code: 2, stdout: '' });
  expect(wrong.stderr).toMatch(/2 problem\(s\)\n {2}port \(FANFARE_PORT\).*\n {2}apiKeys: /);
  expect(await fanfare(['publish', 'demo:a', '1', '--url', 'http://127.0.0.1:1'])).toMatchObject({ code: 1 });
});

it.each(['SIGTERM', 'SIGINT'] as const)('serve ends in good order on %s', async (signal) => {
  const gateway = await startGatewayProcess();
  await gateway.signal(signal);
  expect(await gateway.exited).toEqual([0, null]);
  expect(gateway.output()).toMatch(new RegExp(`stopping signal=${signal}\n.*stopped\n$`));
});

it.each(['uws', 'ws'])('serve over %s tells its clients to go elsewhere and waits for them', async (transport) => {
  const gateway = await startGatewayProcess({ settings: { TRANSPORT: transport } });
  const sockets = [1, 2, 3].map(() => new WebSocket(gateway.wsUrl));
  await Promise.all(sockets.map((socket) => once(socket, 'open')));
  const closes = Promise.all(sockets.map((socket) => once(socket, 'close')));
  await gateway.signal('SIGTERM');
  for (const [code, reason] of (await closes) as [number, Buffer][]) {
    expect([code, JSON.parse(String(reason))]).toEqual([4000, { retryAfter: expect.any(Number) }]);
  }
  expect(await gateway.exited).toEqual([0, null]);
  expect(gateway.output()).toMatch(/stopping signal=SIGTERM\n.*stopped\n$/);
});

it('serve ends at once on a second signal, though clients are slow to leave', async () => {
  const gateway = await startGatewayProcess({ settings: { TRANSPORT: 'ws' } });
  const socket = new WebSocket(gateway.wsUrl);
  await once(socket, 'open');
  socket.pause();
  await gateway.signal('SIGTERM');
  await expect.poll(gateway.output).toContain('stopping');
  await gateway.signal('SIGTERM');
  expect(await gateway.exited).toEqual([130, null]);
  socket.terminate();
});

it('a second gateway on the same port says so and exits 1', async () => {
  const gateway = await startGatewayProcess();
  onTestFinished(() => gateway.stop());
  for (const transport of ['uws', 'ws']) {
    const second = await fanfare(['serve', '--transport', transport, '--port', String(gateway.port)]);
    expect(second).toMatchObject({ code: 1, stderr: `fanfare serve: port ${gateway.port} on 127.0.0.1 is taken\n` });
  }
});

it('in production logs JSON lines, and serves no page', async () => {
  const { output } = await startFanfare(
    ['serve', '--port', '0', '--host', '127.0.0.1', '--node', 'n1', '--limit-connections', '500'],
    {
      FANFARE_MODE: 'production',
      FANFARE_API_KEYS: 'k1',
    },
  );
  await expect.poll(() => output.stdout).toContain('listening');
  await expect.poll(() => output.stdout).toContain('it can be guessed');
  const [line, warning] = output.stdout
    .trim()
    .split('\n')
    .map((text) => JSON.parse(text) as { url: string });
  expect(warning).toMatchObject({
    level: 'warn',
    msg: 'the API key key-1 has less than 16 characters: it can be guessed',
  });
  expect(line).toMatchObject({ level: 'info', node: 'n1', msg: 'listening', mode: 'production' });
  expect((await fetch(line?.url as string)).status).toBe(404);
});
