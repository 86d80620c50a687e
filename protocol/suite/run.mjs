#!/usr/bin/env node
/** Runs the suite against a gateway: `node run.mjs ws://host:port/ws [options]`. See README.md. */
import { parseArgs } from 'node:util';
import { cases } from './index.mjs';

const USAGE = `usage: node run.mjs ws://host:port/ws [--http http://host:port --key <api key>]
  [--durable demo:] [--live live:] [--unknown no-such-namespace:] [--only <text>] [--slow]`;

function readArguments() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        http: { type: 'string' },
        key: { type: 'string' },
        durable: { type: 'string' },
        live: { type: 'string' },
        unknown: { type: 'string' },
        only: { type: 'string', default: '' },
        slow: { type: 'boolean', default: false },
      },
    });
    const [url] = positionals;
    if (positionals.length === 1) return { ...values, url };
  } catch (error) {
    console.error(error.message);
  }
  console.error(USAGE);
  process.exit(2);
}

const { only, slow, ...target } = readArguments();
const outcomes = { passed: 0, failed: 0, skipped: 0 };
for (const one of cases.filter(({ name }) => name.includes(only))) {
  const skip = one.slow && !slow ? 'slow' : one.needsHttp && !target.http ? 'needs --http and --key' : undefined;
  if (skip) {
    outcomes.skipped++;
    console.log(`skipped  ${one.name} (${skip})`);
    continue;
  }
  try {
    await one.run(target);
    outcomes.passed++;
    console.log(`ok       ${one.name}`);
  } catch (error) {
    outcomes.failed++;
    console.log(`FAILED   ${one.name}\n${String(error.stack ?? error).replace(/^/gm, '         ')}`);
  }
}
console.log(`${outcomes.passed} passed, ${outcomes.failed} failed, ${outcomes.skipped} skipped`);
process.exitCode = outcomes.failed > 0 || outcomes.passed === 0 ? 1 : 0;
