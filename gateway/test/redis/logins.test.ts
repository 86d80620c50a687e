/** What protects Redis: passwords of sentinels, TLS. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { checkRedis } from '../../src/broker/redis/checks.js';
import { systemClock } from '../../src/clock.js';
import { durableChannel, json, publishOne } from '../support/broker-kit.js';
import { startGatewayProcess } from '../support/gateway-process.js';
import { createRedisBroker } from '../support/redis-broker.js';
import { freePort, startRedis, startSentinel } from '../support/redis-servers.js';

const SENTINEL_RULES = '+sentinel|get-master-addr-by-name +sentinel|master +sentinel|sentinels +sentinel|myid'.split(
  ' ',
);

const errors = async (url: string) => (await checkRedis(url)).filter(({ level }) => level === 'error');

it('sentinels that want a password are used with the one in the URL', async () => {
  const servers = await startSentinel();
  onTestFinished(() => servers.stop());
  for (const { client } of servers.sentinels) {
    await client.call('SENTINEL', 'CONFIG', 'SET', 'sentinel-pass', 'pass&word');
    await client.call('ACL', 'SETUSER', 'fanfare', 'on', '>secret', 'nocommands', ...SENTINEL_RULES);
    await client.call('ACL', 'SETUSER', 'default', 'resetpass', '>pass&word');
  }
  expect(await errors(servers.url)).toMatchObject([{ text: expect.stringContaining('NOAUTH') }]);
  const wrong = await errors(`${servers.url}?sentinelPassword=wrong`);
  expect(wrong).toMatchObject([{ text: expect.stringContaining('WRONGPASS') }]);
  for (const login of ['sentinelPassword=pass%26word', 'sentinelUsername=fanfare&sentinelPassword=secret']) {
    const url = `${servers.url}?${login}`;
    expect(await errors(url)).toEqual([]);
    const broker = createRedisBroker({ url, clock: systemClock });
    onTestFinished(() => broker.close());
    await broker.start();
    expect(await publishOne(broker, durableChannel(), json(1))).toMatchObject({ offset: 1 });
  }
});

/** A certificate for 127.0.0.1 that signs itself. */
async function createCertificate() {
  const dir = await mkdtemp(join(tmpdir(), 'fanfare-tls-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const [key, certificate] = [join(dir, 'key.pem'), join(dir, 'certificate.pem')];
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const output = ['-keyout', key, '-out', certificate];
  await promisify(execFile)('openssl', ['req', '-x509', ...curve, ...subject, ...output]).catch((cause) => {
    throw new Error('openssl is missing; install it: apt-get install openssl', { cause });
  });
  return { key, certificate };
}

it('rediss:// is TLS, to servers whose certificate is trusted and to no other', async () => {
  const { key, certificate } = await createCertificate();
  const port = await freePort();
  const redis = await startRedis({
    config: {
      'tls-port': String(port),
      'tls-cert-file': certificate,
      'tls-key-file': key,
      'tls-ca-cert-file': certificate,
      'tls-auth-clients': 'no',
    },
  });
  onTestFinished(() => redis.stop());
  const url = `rediss://127.0.0.1:${port}`;
  const gateway = await startGatewayProcess({
    settings: { REDIS_URL: url },
    env: { NODE_EXTRA_CA_CERTS: certificate },
  });
  onTestFinished(() => gateway.stop());
  const { body } = await gateway.publish({ messages: [{ channel: 'demo:a', data: 1 }] });
  expect(body).toMatchObject({ results: [{ offset: 1 }] });
  expect(await errors(url)).toEqual([{ level: 'error', text: expect.stringContaining('certificate') }]);
});
