/**
 * Serves the chart of deploy/helm. `node scripts/helm.mjs render` writes deploy/kubernetes/fanfare.yaml, which is what
 * the chart makes of its defaults, for users without Helm. `digest` prints the digest of the chart; that file names the
 * digest of the chart that it was made of. `path` prints where Helm is, which is built with Go if it is not installed.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fail, root, run } from './workspace.mjs';

const HELM = 'helm.sh/helm/v3/cmd/helm@v3.16.4';
const CHART = path.join(root, 'deploy/helm/fanfare');
const RENDERED = path.join(root, 'deploy/kubernetes/fanfare.yaml');
const BIN = path.join(root, 'node_modules/.cache/fanfare/bin');

const [step] = process.argv.slice(2);
if (step === 'digest') process.stdout.write(`${digest()}\n`);
else if (step === 'path') process.stdout.write(`${await helm()}\n`);
else if (step === 'render') writeFileSync(RENDERED, await render());
else fail('expected render, digest or path');

async function render() {
  const args = ['template', 'fanfare', CHART, '--kube-version', '1.29.0', '--set', 'existingSecret=fanfare-secrets'];
  const text = execFileSync(await helm(), args, { encoding: 'utf8' });
  mkdirSync(path.dirname(RENDERED), { recursive: true });
  return `# What deploy/helm makes of its defaults, for kubectl apply: two gateways, whose image and Secret are yours.
#   kubectl create secret generic fanfare-secrets --from-literal=FANFARE_API_KEYS=… --from-literal=FANFARE_REDIS_URL=…
# Written by node scripts/helm.mjs render, of the chart ${digest()}.
${text}`;
}

/** Returns a digest of every file of the chart, by name and content. */
function digest() {
  const hash = createHash('sha256');
  for (const name of readdirSync(CHART, { recursive: true }).sort()) {
    const file = path.join(CHART, name);
    if (statSync(file).isFile()) hash.update(`${name}\0`).update(readFileSync(file)).update('\0');
  }
  return hash.digest('hex').slice(0, 16);
}

async function helm() {
  for (const folder of [BIN, ...(process.env.PATH ?? '').split(path.delimiter)]) {
    const file = path.join(folder, 'helm');
    if (existsSync(file)) return file;
  }
  process.stderr.write('building helm (some minutes)\n');
  const env = { ...process.env, GOBIN: BIN };
  const code = await run('go', ['install', HELM], { quiet: true, env }).catch(() => 1);
  if (code !== 0) fail('the chart is checked by helm: install it, or Go, then try again');
  return path.join(BIN, 'helm');
}
