import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jwtVerify } from 'jose';
import { afterAll, describe, expect, it } from 'vitest';
import { runCommand } from './commands.js';

const cwd = mkdtempSync(join(tmpdir(), 'fanfare-cli-'));
afterAll(() => rmSync(cwd, { recursive: true }));

async function fanfare(argv: readonly string[], env: Readonly<Record<string, string>> = {}) {
  let stdout = '';
  let stderr = '';
  const code = await runCommand(argv, {
    env,
    cwd,
    out: (text) => {
      stdout += text;
    },
    err: (text) => {
      stderr += text;
    },
    untilStopped: () => new Promise(() => undefined),
  });
  return { code, stdout, stderr };
}

describe('fanfare', () => {
  it('names its commands: when asked on stdout, else on stderr with exit 2', async () => {
    const help = await fanfare(['--help']);
    expect(help).toMatchObject({ code: 0, stderr: '' });
    for (const name of ['serve', 'publish', 'tail', 'token', 'config', 'check', 'health'])
      expect(help.stdout).toContain(`\n  ${name} `);
    expect(await fanfare([])).toEqual({ code: 2, stdout: '', stderr: help.stdout });
    expect((await fanfare(['sevre'])).stderr).toMatch(/^fanfare: no command "sevre"\n/);
  });

  it.each(['serve', 'publish', 'tail', 'token', 'config', 'check', 'health'])(
    '%s has a help of its own',
    async (name) => {
      const { code, stdout } = await fanfare([name, '--help']);
      expect([code, stdout]).toEqual([0, expect.stringMatching(new RegExp(`^usage: fanfare ${name} .*\n\n\\w`))]);
    },
  );

  it('tells its version', async () => {
    expect(await fanfare(['--version'])).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
  });
});

const SECRET = { FANFARE_JWT_SECRET: 'a secret of at least thirty-two bytes' };

describe('token', () => {
  const verify = (token: string, options: object = {}) =>
    jwtVerify(token.trim(), Buffer.from(SECRET.FANFARE_JWT_SECRET), options);

  it('makes one that says what was asked, for the issuer and audience of the configuration', async () => {
    const flags = ['--sub', 'u1', '--allow', 'chat:*=subscribe,publish', '--allow', 'a=b=history', '--ttl', '90s'];
    const more = ['--subscribe', 'user:u1', '--info', '{"name":"Ann"}', '--id', 't1'];
    const env = { ...SECRET, FANFARE_JWT_ISSUER: 'me', FANFARE_JWT_AUDIENCE: 'fanfare' };
    const { code, stdout } = await fanfare(['token', ...flags, ...more], env);
    const { payload } = await verify(stdout, { issuer: 'me', audience: 'fanfare' });
    const channels = { 'chat:*': ['subscribe', 'publish'], 'a=b': ['history'] };
    expect([code, payload]).toMatchObject([0, { sub: 'u1', jti: 't1', channels, subscribe: ['user:u1'] }]);
    expect((payload.exp as number) - (payload.iat as number)).toBe(90);
  });

  it('signs with a private key', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    writeFileSync(join(cwd, 'key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
    const { stdout } = await fanfare(['token', '--sub', 'u1', '--private-key', 'key.pem', '--kid', 'k1']);
    const { payload, protectedHeader } = await jwtVerify(stdout.trim(), publicKey);
    expect([payload.sub, protectedHeader]).toMatchObject(['u1', { alg: 'ES256', kid: 'k1' }]);
  });
});

describe('config', () => {
  it('prints what serve would use, without secrets', async () => {
    const { code, stdout } = await fanfare(['config', '--port', '1'], { FANFARE_API_KEYS: 's3cret' });
    expect([code, JSON.parse(stdout)]).toMatchObject([
      0,
      { port: 1, apiKeys: [{ name: 'key-1', key: '***', scopes: ['publish', 'read', 'admin'] }], mode: 'development' },
    ]);
  });

  it.each(['config', 'serve'])('%s lists every problem and exits 2', async (command) => {
    const env = { FANFARE_PORT: 'x', FANFARE_MODE: 'production' };
    const { code, stdout, stderr } = await fanfare([command, '--bogus'], env);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr.split('\n')).toEqual([
      'fanfare: the configuration has 3 problem(s)',
      '  --bogus: unknown flag',
      '  port (FANFARE_PORT): expected an integer from 0 to 65535',
      '  apiKeys: production needs at least one API key (FANFARE_API_KEYS)',
      '',
    ]);
  });
});

describe('what is called wrongly exits 2 and says how to call it', () => {
  it.each([
    [['publish'], '<channel> is missing'],
    [['publish', 'demo:a'], '<json> is missing'],
    [['publish', 'demo:a', '{'], '<json> is not JSON'],
    [['publish', 'demo:a', '1', '2'], 'unexpected argument "2"'],
    [['publish', 'demo:a', '1', '--url', 'ftp://x'], '"ftp://x" is not an http'],
    [['publish', 'demo a', '1'], '"demo a" is not a channel name'],
    [['publish', 'demo:a', '1', '-2'], 'unexpected argument "-2"'],
    [['publish', 'demo:a', '1', '--tag', 'x'], '--tag wants name=value'],
    [['publish', 'demo:a', '1', '--speed'], "Unknown option '--speed'"],
    [['tail'], '<channel> is missing'],
    [['tail', ''], '"" is not a channel name'],
    [['tail', 'demo:a', '--rewind', 'x'], '--rewind wants a number from 0 on'],
    [['tail', 'demo:a', '--rewind', '1e1'], '--rewind wants a number from 0 on'],
    [['tail', 'demo:a', '--since', '17'], '--since wants <epoch>-<offset>'],
    [['tail', 'demo:a', '--since', '17-1', '--rewind', '1'], 'at most one of'],
    [['tail', 'demo:a', '--count', '0'], '--count wants a number from 1 on'],
    [['check'], 'no Redis is configured'],
    [['token', '--sub', 'u1'], 'nothing to sign with'],
    [['token', '--ttl', 'soon'], '--ttl wants a duration', SECRET],
    [['token', '--allow', 'chat:*=fly'], '--allow wants', SECRET],
    [['token', '--allow', 'chat:*'], '--allow wants', SECRET],
    [['token', '--info', '{'], '--info is not JSON', SECRET],
    [['token', '--sub', ''], 'sub must be', SECRET],
    [['token', '--private-key', 'none.pem'], '--private-key: ENOENT'],
  ])('%j', async (argv: string[], message: string, env?: Record<string, string>) => {
    const { code, stderr } = await fanfare(argv, env);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
    expect(stderr).toContain(`usage: fanfare ${argv[0]} `);
  });
});
