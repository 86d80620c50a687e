/** What README.md tells to type, typed: against real gateways, on other ports. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { type GatewayProcess, type GatewayProcessOptions, startGatewayProcess } from '../support/gateway-process.js';
import { startRedis } from '../support/redis-servers.js';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const README = readFileSync(join(ROOT, 'README.md'), 'utf8');

interface Command {
  readonly text: string;
  /** What the comment below it shows as its output. */
  readonly shown: Record<string, unknown> | undefined;
}

/** The text below a heading, up to the next one. */
function section(heading: string): string {
  const start = README.indexOf(`\n${heading}\n`) + heading.length + 2;
  expect(start, `README.md has "${heading}"`).toBeGreaterThan(heading.length + 1);
  return README.slice(start, README.indexOf('\n##', start));
}

function codeIn(text: string, language: string): string[] {
  return [...text.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 'gs'))].map((match) => match[1] as string);
}

/** The commands of a section that start with one of these words. */
function commandsIn(text: string, ...words: readonly string[]): Command[] {
  const lines = codeIn(text, 'sh').flatMap((block) => block.trim().split('\n'));
  return lines.flatMap((line, index) => {
    if (!words.some((word) => line.startsWith(`${word} `))) return [];
    const json = /^# (\{.*\})$/.exec(lines[index + 1] ?? '')?.[1];
    return [{ text: line, shown: json ? (JSON.parse(json) as Record<string, unknown>) : undefined }];
  });
}

async function startGateway(options?: GatewayProcessOptions): Promise<GatewayProcess> {
  const gateway = await startGatewayProcess(options);
  onTestFinished(() => gateway.stop());
  return gateway;
}

/** Runs a line in the root of the repository, to its end or until it has printed so many lines; these. */
async function run(line: string, env: Readonly<Record<string, string>> = {}, enough = Infinity): Promise<string[]> {
  const child = spawn('sh', ['-c', line], { cwd: ROOT, env: { ...process.env, ...env }, detached: true });
  const closed = once(child, 'close') as Promise<[number | null]>;
  const stop = () => {
    // npx and the program are in the group; a process that has ended is in none.
    if (child.exitCode === null && child.signalCode === null) process.kill(-(child.pid as number), 'SIGTERM');
  };
  onTestFinished(stop);
  let output = '';
  let errors = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
    if (output.split('\n').length > enough) stop();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const [code] = await closed;
  if (enough === Infinity) expect([line, code, code === 0 ? '' : errors]).toEqual([line, 0, '']);
  return output.trim().split('\n');
}

/** Every value but those of clocks is the one that is shown. */
function expectShown({ text, shown }: Command, printed: string | undefined): void {
  if (!shown) return;
  const wanted = { ...shown, epoch: expect.any(String), ...('time' in shown && { time: expect.any(Number) }) };
  expect([text, JSON.parse(printed ?? 'null')]).toEqual([text, wanted]);
}

it('the first five minutes', async () => {
  const gateway = await startGateway();
  const text = section('## Five minutes').replaceAll('localhost:8080', `127.0.0.1:${gateway.port}`);
  const commands = commandsIn(text, 'curl', 'npx fanfare');
  expect(commands.map((one) => one.text.split(' ').slice(0, 3).join(' '))).toEqual([
    "curl -H 'Authorization:",
    'npx fanfare publish',
    'npx fanfare tail',
  ]);
  for (const command of commands) {
    const isTail = command.text.includes(' tail ');
    const lines = await run(command.text, { FANFARE_URL: gateway.httpUrl }, isTail ? 2 : Infinity);
    expectShown(command, lines[0]);
    if (isTail) expect(lines.map((line) => JSON.parse(line).data)).toEqual([{ n: 1 }, { n: 2 }]);
  }

  mkdirSync(join(ROOT, 'node_modules/.cache'), { recursive: true });
  const folder = mkdtempSync(join(ROOT, 'node_modules/.cache/fanfare-readme-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const [program = ''] = codeIn(text, 'js');
  writeFileSync(join(folder, 'hello.mjs'), program);
  const printed = await run(`"${process.execPath}" "${join(folder, 'hello.mjs')}"`);
  expect(printed.sort()).toEqual(['1 { n: 1 }', '2 { n: 2 }', '3 { n: 3 }', 'stored at 3']);

  const socket = new WebSocket(gateway.wsUrl);
  onTestFinished(() => socket.terminate());
  await once(socket, 'open');
  const frames = [...text.matchAll(/`(\{"type":.*?\})`/g)].map((match) => match[1] as string);
  expect(frames.length).toBe(2);
  for (const [frame, answer] of [
    [frames[0] as string, 'connected'],
    [frames[1] as string, 'subscribed'],
  ] as const) {
    socket.send(frame);
    expect(JSON.parse(String((await once(socket, 'message'))[0]))).toMatchObject({ type: answer });
  }
});

it('a client that moves between two gateways', async () => {
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  const settings = { REDIS_URL: redis.url };
  const [first, second] = await Promise.all([startGateway({ settings }), startGateway({ settings })]);
  const text = section('### Two gateways, and a client that moves between them')
    .replaceAll('localhost:8081', `127.0.0.1:${first.port}`)
    .replaceAll('localhost:8082', `127.0.0.1:${second.port}`);
  const commands = commandsIn(text, 'npx fanfare');
  expect(commands.length).toBe(4);
  let position = '';
  let last: string[] = [];
  for (const command of commands) {
    last = await run(command.text.replace(/--since \S+/, `--since ${position}`));
    expectShown(command, last[0]);
    if (command.shown) position = `${JSON.parse(last[0] as string).epoch}-${JSON.parse(last[0] as string).offset}`;
  }
  expect(JSON.parse(last[0] as string)).toMatchObject({ offset: 2, data: { n: 5 } });
});
