/** A gateway that speaks TLS itself, through two certificates, on both transports. */
import { once } from 'node:events';
import { get } from 'node:https';
import { connect as connectTcp } from 'node:net';
import { connect } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { CertificateFolder } from '../support/certificates.js';
import { closed } from '../support/closed.js';
import { FrameClient } from '../support/frame-client.js';
import { startGatewayProcess } from '../support/gateway-process.js';
import { fanfare } from '../support/program.js';

const PATIENCE = { timeout: 60_000 };

async function ask(port: number, path: string, ca: string): Promise<string> {
  const [response] = await once(get(`https://localhost:${port}${path}`, { ca }), 'response');
  return String(await response.toArray());
}

async function shownName(port: number): Promise<unknown> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const { CN } = socket.getPeerCertificate().subject;
  socket.destroy();
  return CN;
}

/** Whole lines `name value` of the metrics, by name and labels. */
async function metric(port: number, name: string, ca: string): Promise<number> {
  const text = await ask(port, '/metrics', ca);
  const line = text.split('\n').find((one) => one.startsWith(name) && !one.startsWith('#'));
  return Number(line?.split(' ').at(-1));
}

describe.each(['uws', 'ws'])('a gateway with a certificate on %s', (transport) => {
  it('serves, shows a renewed certificate, and keeps its clients', async () => {
    const files = new CertificateFolder();
    onTestFinished(() => files.remove());
    files.renew('first');
    const first = files.text;
    const settings = { TRANSPORT: transport, TLS_CERT: files.cert, TLS_KEY: files.key, TLS_CHECK_MS: '200ms' };
    const gateway = await startGatewayProcess({ settings: { ...settings, LIMIT_HTTP_REQUEST_MS: '3s' } });
    onTestFinished(() => gateway.stop());
    const { port } = gateway;
    expect(gateway.output()).toContain(`url=https://localhost:${port}`);
    expect(await ask(port, '/health/live', first)).toContain('"status"');
    const health = await fanfare(['health', '--port', String(port)], {
      FANFARE_TLS_CERT: files.cert,
      FANFARE_TLS_KEY: files.key,
    });
    expect(health).toMatchObject({ code: 0, stdout: `https://127.0.0.1:${port}/health/live: ok\n` });

    const client = await FrameClient.open(port, { ca: first });
    expect(await client.ask({ type: 'subscribe', channel: 'demo:tls' })).toMatchObject({ type: 'subscribed' });

    // Half of a renewal, as whoever looks between two copies sees it.
    files.breakPair();
    await expect.poll(gateway.output, PATIENCE).toContain('the renewed certificate cannot be used');
    expect(await shownName(port)).toBe('first');
    files.renew('second');
    await expect.poll(() => shownName(port), PATIENCE).toBe('second');
    expect(await metric(port, 'fanfare_tls_certificate_end_seconds', files.text)).toBeGreaterThan(Date.now() / 1000);

    const publisher = await FrameClient.open(port, { ca: files.text });
    await publisher.ask({ type: 'publish', channel: 'demo:tls', data: 'after' });
    expect(await client.until(({ type }) => type === 'message')).toMatchObject({ data: 'after' });

    // Nobody else notices who sends a body too slowly.
    const slow = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
    const ended = closed(slow);
    slow
      .resume()
      .write('POST /v1/publish HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer dev\r\nContent-Length: 99\r\n\r\n{');
    const drip = setInterval(() => slow.write(' '), 100);
    await ended;
    clearInterval(drip);
    const hit = await metric(port, 'fanfare_limits_hit_total{limit="httpRequestMs"', files.text);
    expect(hit).toBe(1);
    client.close();
    publisher.close();
  });
});

it('does not start with half a pair, files that are not there, or a key of another certificate', async () => {
  const files = new CertificateFolder();
  onTestFinished(() => files.remove());
  files.renew('first');
  const start = (env: Record<string, string>) => fanfare(['serve', '--port', '0'], env);
  expect(await start({ FANFARE_TLS_CERT: files.cert })).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('tls.key: needed where tls.cert is set'),
  });
  expect(await start({ FANFARE_TLS_CERT: '/nowhere.pem', FANFARE_TLS_KEY: files.key })).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/tls\.cert: .*no such file.*\/nowhere\.pem/),
  });
  files.breakPair();
  expect(await start({ FANFARE_TLS_CERT: files.cert, FANFARE_TLS_KEY: files.key })).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('the key is not that of the certificate'),
  });
});

it('has its health port without TLS', async () => {
  const files = new CertificateFolder();
  onTestFinished(() => files.remove());
  files.renew('first');
  const settings = { TLS_CERT: files.cert, TLS_KEY: files.key, HEALTH_PORT: '0' };
  const gateway = await startGatewayProcess({ settings });
  onTestFinished(() => gateway.stop());
  const healthPort = Number(/healthPort=(\d+)/.exec(gateway.output())?.[1]);
  expect((await fetch(`http://127.0.0.1:${healthPort}/health/ready`)).status).toBe(200);
  const plain = connectTcp(gateway.port, '127.0.0.1').on('error', () => {});
  plain.end('GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n');
  expect(String(await plain.toArray())).not.toContain('200');
});
