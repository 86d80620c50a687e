import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { BUILT_IN } from './builtin.js';
import { loadScenario } from './load-scenario.js';
import { resolveScenario, withDuration } from './scenario.js';

const folder = mkdtempSync(path.join(tmpdir(), 'fanfare-scenario-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const target = path.join(folder, name);
  writeFileSync(target, text);
  return target;
}

const YAML = `name: chat
stages:
  - { duration: 10s, load: 1 }
  - { duration: 1m }
groups:
  rooms:
    connections: 20
    channels: 4
    publish:
      by: http
      rate: 5
      size: { min: 100, max: 200 }
`;

it('every built-in scenario is valid', () => {
  for (const [name, input] of Object.entries(BUILT_IN)) expect(resolveScenario(input).name).toBe(name);
});

it('reads YAML and TypeScript alike, also where this package is not installed', async () => {
  const yaml = await loadScenario(file('chat.yaml', YAML));
  expect(yaml.stages).toEqual([
    { duration: 10_000, load: 1, publish: true },
    { duration: 60_000, load: 1, publish: true },
  ]);
  const typescript = await loadScenario(
    file(
      'chat.ts',
      `import { defineScenario } from '@fanfare/loadtest';
const rooms: number = 4;
export default defineScenario({
  name: 'chat',
  stages: [{ duration: '10s', load: 1 }, { duration: '1m' }],
  groups: { rooms: { connections: 20, channels: rooms, publish: { by: 'http', rate: 5, size: { min: 100, max: 200 } } } },
});`,
    ),
  );
  expect(typescript).toEqual(yaml);
});

it('--duration sets the longest stage', async () => {
  const scenario = withDuration(await loadScenario(file('chat2.yaml', YAML)), 5_000);
  expect(scenario.stages.map(({ duration }) => duration)).toEqual([10_000, 5_000]);
});

it.each([
  ['a wrong value', YAML.replace('rate: 5', 'rate: fast'), /:11:13 groups\.rooms\.publish\.rate: .*number/],
  ['an unknown word', YAML.replace('channels: 4', 'chanels: 4'), /:8:14 groups\.rooms\.chanels: is not known here/],
  [
    'both models',
    YAML.replace('rate: 5', 'rate: 5\n      inFlight: 2'),
    /:10:7 groups\.rooms\.publish: needs either rate/,
  ],
  ['no groups', 'name: nothing\n', /:1:1 groups: /],
  ['a time without a unit', YAML.replace('10s', '10 seconds'), /:3:17 stages\.0\.duration: /],
  ['broken YAML', 'name: [chat\n', /:2:1 /],
])('tells %s with file, line, column and path', async (_, text, message) => {
  const name = file('wrong.yaml', text);
  await expect(loadScenario(name)).rejects.toThrow(new RegExp(`^${name.replaceAll('.', '\\.')}${message.source}`));
});

it('tells what is wrong in TypeScript with file and path, and which scenarios there are', async () => {
  const name = file('wrong.ts', 'export default { name: "x", groups: { a: { connections: -1 } } };');
  await expect(loadScenario(name)).rejects.toThrow(`${name} groups.a.connections: `);
  await expect(loadScenario(file('broken.ts', 'export default {'))).rejects.toThrow('broken.ts');
  await expect(loadScenario('fanuot')).rejects.toThrow('one of fanout, rooms');
});
