/** "In ten minutes" of docs/SECURITY.md, typed as it stands: by a newcomer who has Node, Python, curl and a browser. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, it, onTestFinished } from 'vitest';
import { launchChromium } from '../support/chromium.js';
import { FrameClient } from '../support/frame-client.js';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const PATIENCE = { timeout: 60_000 };
const page = readFileSync(join(ROOT, 'docs/SECURITY.md'), 'utf8');
const [, section = ''] = /## In ten minutes\n([\s\S]*?)\n## /.exec(page) ?? [];

/** The code blocks of a language, without their indentation. */
const blocks = (language: string) =>
  [...section.matchAll(new RegExp(`^   \`\`\`${language}\n([\\s\\S]*?)^   \`\`\`$`, 'gm'))].map(([, text = '']) =>
    text.replace(/^ {3}/gm, ''),
  );

/** The one that has PyJWT. */
const python = ['python3', '/usr/bin/python3'].find(
  (program) => spawnSync(program, ['-c', 'import jwt']).status === 0,
) as string;

let folder: string;
let secrets: Record<string, string>;
let gateway: GatewayProcess;

/** Starts lines in a shell that has the secrets. */
function start(lines: string, env: Readonly<Record<string, string>> = {}) {
  const text = lines.replaceAll('localhost:8080', `127.0.0.1:${gateway?.port}`);
  const url = gateway ? { FANFARE_URL: gateway.httpUrl } : {};
  const child = spawn('bash', ['-c', text], {
    cwd: folder,
    env: { ...process.env, ...secrets, ...url, ...env },
    detached: true,
  });
  const closed = once(child, 'close') as Promise<[number | null]>;
  const stop = () => {
    if (child.exitCode === null && child.signalCode === null) process.kill(-(child.pid as number), 'SIGTERM');
  };
  onTestFinished(stop);
  const output = { text: '' };
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output.text += chunk));
  return { output, closed, stop };
}

async function run(lines: string, env: Readonly<Record<string, string>> = {}): Promise<string> {
  const { output, closed } = start(lines, env);
  await closed;
  return output.text;
}

/** Below node_modules, as the folder of an application is: packages of this repository are found from there. */
beforeAll(() => {
  mkdirSync(join(ROOT, 'node_modules/.cache'), { recursive: true });
  folder = mkdtempSync(join(ROOT, 'node_modules/.cache/fanfare-security-'));
  return () => rmSync(folder, { recursive: true });
});

it('secures the demo: secrets, rules, tokens of two languages, a private channel, a revoke, production', async () => {
  const [makeSecrets, serve, makeToken, tail, inAnother, revoke, production] = blocks('sh') as [string, ...string[]];
  // 1
  expect(await run(makeSecrets)).toBe('');
  const file = readFileSync(join(folder, 'fanfare.env'), 'utf8');
  secrets = Object.fromEntries([...file.matchAll(/^(\w+)=(.*)$/gm)].map(([, name, value]) => [name, value]));
  expect(Object.keys(secrets)).toEqual(['FANFARE_JWT_SECRET', 'FANFARE_API_KEYS']);
  // 2
  const [rules = ''] = blocks('json');
  writeFileSync(join(folder, 'fanfare.config.json'), rules);
  expect(serve).toBe('npx fanfare serve\n');
  gateway = await startGatewayProcess({ file: JSON.parse(rules), env: secrets });
  onTestFinished(() => gateway.stop());
  const browser = await launchChromium();
  onTestFinished(() => browser.close());
  const journal = async (url: string) => {
    const demo = await browser.newPage();
    await demo.goto(url);
    return { demo, text: () => demo.textContent('body') };
  };
  const refused = await journal(gateway.httpUrl);
  await expect.poll(refused.text, PATIENCE).toMatch(/forbidden|not allowed|unauthorized/i);
  // 3
  const url = (await run(makeToken as string)).trim();
  const [, token = ''] = /#token=(\S+)$/.exec(url) ?? [];
  const allowed = await journal(url);
  await expect.poll(() => allowed.demo.getAttribute('body', 'data-state'), PATIENCE).toBe('connected');
  await allowed.demo.fill('#text', 'a line of mine');
  await allowed.demo.press('#text', 'Enter');
  // 4
  for (const [language, name, program] of [
    ['js', 'make-token.mjs', 'node'],
    ['python', 'make_token.py', python],
  ] as const) {
    writeFileSync(join(folder, name), blocks(language)[0] ?? '');
    const made = (await run(`${program} ${name}`)).trim();
    const client = await FrameClient.open(gateway.port, { token: made });
    expect([name, made, client.frames[0]]).toEqual([
      name,
      made,
      expect.objectContaining({ type: 'connected', user: 'u1' }),
    ]);
    const subscribed = await client.ask({ type: 'subscribe', channel: 'demo:chat', rewind: 10 });
    expect([name, subscribed.type]).toEqual([name, 'subscribed']);
    await client.until(({ type, data }) => type === 'message' && JSON.stringify(data).includes('a line of mine'));
    expect((await client.ask({ type: 'publish', channel: 'live:x', data: 1 })).type).toBe('published');
    await client.close();
  }
  // 5
  const reader = start(tail as string, { TOKEN: token });
  const headers = { authorization: `Bearer ${secrets.FANFARE_API_KEYS}` };
  const channels = async () => (await fetch(`${gateway.httpUrl}/v1/channels?prefix=user:`, { headers })).json();
  await expect.poll(channels, PATIENCE).toEqual({ channels: [{ channel: 'user:u1', subscribers: 1 }] });
  const said = await run(inAnother as string);
  expect(said).toContain('forbidden');
  expect(said).toContain('"offset":1');
  await expect.poll(() => reader.output.text, PATIENCE).toContain('"data":"for you alone"');
  // 6
  expect(await run(revoke as string)).toMatch(/"connections":[2-9]/);
  await reader.closed;
  expect(reader.output.text).toContain('revoked');
  await expect.poll(() => allowed.demo.getAttribute('body', 'data-state'), PATIENCE).toBe('offline');
  await gateway.stop();
  // 7
  const inProduction = start(production as string, { FANFARE_PORT: '0' });
  await expect.poll(() => inProduction.output.text, PATIENCE).toContain('"msg":"listening"');
  expect(inProduction.output.text).not.toMatch(/"level":"?(error|fatal|50|60)/);
  for (const secret of Object.values(secrets))
    expect(inProduction.output.text + gateway.output()).not.toContain(secret);
}, 120_000);
