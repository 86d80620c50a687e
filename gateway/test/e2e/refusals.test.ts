/** Upgrades that are refused: told, counted by reason, the first of each logged. */
import { once } from 'node:events';
import { expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { startGatewayProcess } from '../support/gateway-process.js';

it.each(['uws', 'ws'])('are counted by reason over %s, and the first of each origin is logged', async (transport) => {
  const gateway = await startGatewayProcess({
    settings: {
      TRANSPORT: transport,
      MODE: 'production',
      HOST: '127.0.0.1',
      API_KEYS: 'k',
      ALLOWED_ORIGINS: 'capacitor://localhost,https://*.bücher.example,null',
    },
  });
  onTestFinished(() => gateway.stop());
  const outcome = async (origin: string | undefined, { path = '/ws', host }: { path?: string; host?: string } = {}) => {
    const headers = { ...(origin && { origin }), ...(host && { host }) };
    const socket = new WebSocket(gateway.wsUrl.replace('/ws', path), { headers });
    const answer = await Promise.race([
      once(socket, 'open').then(() => 'open'),
      once(socket, 'unexpected-response').then(([, response]: { statusCode: number }[]) => response?.statusCode),
    ]);
    socket.on('error', () => {}).terminate();
    return answer;
  };
  for (const origin of [undefined, 'capacitor://localhost', 'null', 'https://shop.xn--bcher-kva.example:443']) {
    expect(await outcome(origin), origin).toBe('open');
  }
  expect(await outcome('https://rt.example', { host: 'rt.example:443' })).toBe('open');
  for (let i = 0; i < 3; i++) expect(await outcome('tauri://localhost')).toBe(403);
  expect(await outcome('https://evil.example')).toBe(403);
  expect(await outcome(undefined, { path: '/socket' })).toBe(404);

  const metrics = await (await fetch(`${gateway.httpUrl}/metrics`)).text();
  expect(metrics).toMatch(/^fanfare_upgrades_refused_total{reason="origin not allowed",.*} 4$/m);
  expect(metrics).toMatch(/^fanfare_upgrades_refused_total{reason="not found",.*} 1$/m);
  const lines = () =>
    gateway
      .output()
      .split('\n')
      .filter((line) => line.includes('refused an upgrade'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  await expect.poll(() => lines().length).toBe(3);
  expect(lines().map(({ reason, origin, path }) => [reason, origin, path])).toEqual([
    ['origin not allowed', 'tauri://localhost', '/ws'],
    ['origin not allowed', 'https://evil.example', '/ws'],
    ['not found', undefined, '/socket'],
  ]);
});
