#!/usr/bin/env node
/** `npx @fanfare/client selftest wss://…`: 0 all promises were kept, 1 one was not, 2 used wrongly. */
import { parseArgs } from 'node:util';

const HELP = `Usage: npx @fanfare/client selftest <url> [flags]

Proves on a running gateway, in less than a minute, what is promised: order, keys that store once,
resuming after cuts, going on from a position, readers that are slow. Exit code 0: all of it was kept.

  --token t      a token that may subscribe, publish and read the history; default FANFARE_TOKEN, then none
  --api-key k    publish over HTTP with this key; default FANFARE_API_KEY, then over the WebSocket
  --channel c    how the names of its channels begin, of a durable namespace; default selftest-
  --timeout s    how long one promise may take, in seconds; default 20
`;

function readArguments() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      token: { type: 'string', default: process.env.FANFARE_TOKEN },
      'api-key': { type: 'string', default: process.env.FANFARE_API_KEY },
      channel: { type: 'string' },
      timeout: { type: 'string', default: '20' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) return undefined;
  const [command, url, ...rest] = positionals;
  if (command !== 'selftest') throw new Error(command === undefined ? 'no command' : `no command "${command}"`);
  if (url === undefined || rest.length > 0) throw new Error('selftest takes one URL');
  if (!/^(ws|http)s?:\/\//i.test(url)) throw new Error(`"${url}" is not a ws://, wss://, http:// or https:// URL`);
  const timeoutMs = Number(values.timeout) * 1_000;
  if (!(timeoutMs > 0)) throw new Error('--timeout is a number of seconds above 0');
  return { url, token: values.token, apiKey: values['api-key'], channel: values.channel, timeoutMs };
}

async function main() {
  const options = readArguments();
  if (options === undefined) {
    process.stdout.write(HELP);
    return 0;
  }
  const { selftest } = await import('../dist/selftest.js');
  const results = await selftest(options, ({ name, ok, detail, ms }) => {
    process.stdout.write(`${ok ? 'ok    ' : 'FAILED'}  ${name.padEnd(12)}  ${detail}  (${ms} ms)\n`);
  });
  const failed = results.filter(({ ok }) => !ok);
  const [first] = failed;
  const problem = first?.name === 'connect' ? 'nothing could be tried' : 'not all promises were kept';
  const last = first ? problem : `all ${results.length} promises were kept`;
  process.stdout.write(`\n${options.url.replace(/\?.*/, '')}: ${last}\n`);
  return first ? 1 : 0;
}

main().then(
  (code) => process.exit(code),
  (error) => {
    process.stderr.write(`fanfare-client: ${error.message}\n\n${HELP}`);
    process.exit(2);
  },
);
