/** deploy/kubernetes/fanfare.yaml, which Helm makes of the chart: that it is the chart's, and fits the gateway and its image. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { loadConfig } from '../src/config/config.js';
import { placed } from '../src/config/setting.js';
import { SETTINGS } from '../src/config/settings.js';
import { readRepositoryFile } from './support/compose.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const text = readRepositoryFile('deploy/kubernetes/fanfare.yaml');
const documents = parseAllDocuments(text).map((document) => document.toJS());
const dockerfile = readRepositoryFile('Dockerfile');

const named = (kind: string, name = 'fanfare') => {
  const found = documents.find((one) => one?.kind === kind && one.metadata.name === name);
  if (!found) throw new Error(`there is no ${kind} ${name}`);
  return found;
};

const deployment = named('Deployment');
const { template } = deployment.spec;
const [container] = template.spec.containers;
const variables: Record<string, string> = Object.fromEntries(
  container.env.map(({ name, value = 'fanfare-5d4f' }: { name: string; value?: string }) => [name, value]),
);
const ports: Record<string, number> = Object.fromEntries(
  container.ports.map(({ name, containerPort }: { name: string; containerPort: number }) => [name, containerPort]),
);
const config = loadConfig({
  argv: [],
  env: { ...variables, FANFARE_API_KEYS: 'a-key-for-tests-only', FANFARE_REDIS_URL: 'redis://redis:6379' },
  cwd: '/',
});

describe('deploy/kubernetes', () => {
  it('is made of the chart as it is now', () => {
    const digest = execFileSync(process.execPath, ['scripts/helm.mjs', 'digest'], { cwd: ROOT, encoding: 'utf8' });
    expect(text, 'node scripts/helm.mjs render').toContain(`of the chart ${digest.trim()}.`);
  });

  it('sets what the gateway knows, and nothing that Kubernetes would say by itself', () => {
    const known = new Set(placed(SETTINGS).flatMap((one) => one.variables));
    expect(Object.keys(variables).filter((name) => !known.has(name))).toEqual([]);
    expect(template.spec.enableServiceLinks).toBe(false);
    expect(config).toMatchObject({ mode: 'production', host: '0.0.0.0', node: 'fanfare-5d4f' });
    const file = JSON.parse(named('ConfigMap').data['fanfare.config.json']);
    expect(Object.keys(file).filter((name) => !(name in SETTINGS))).toEqual([]);
  });

  it('starts what the image has, as the user that it has', () => {
    const [program, script] = container.command;
    expect(dockerfile).toContain(`CMD ["${program}", "${script}", "serve"]`);
    expect(existsSync(`${ROOT}/${script}`)).toBe(true);
    expect(dockerfile).toContain('USER node');
    expect(template.spec.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 1000 });
    expect(container.securityContext).toMatchObject({ readOnlyRootFilesystem: true, allowPrivilegeEscalation: false });
  });

  it('asks for health where the gateway answers: restarts by liveness, traffic by readiness', () => {
    expect(ports).toEqual({ http: config.port, health: config.healthPort });
    const { livenessProbe, readinessProbe, startupProbe } = container;
    expect(livenessProbe.httpGet).toEqual({ path: '/health/live', port: 'health' });
    expect(startupProbe.httpGet).toEqual({ path: '/health/live', port: 'health' });
    expect(readinessProbe.httpGet).toEqual({ path: '/health/ready', port: 'health' });
  });

  it('gives a gateway the time that it takes to stop, and takes away one at a time', () => {
    const { stopDelayMs, drainMs, timings } = config;
    const graceMs = template.spec.terminationGracePeriodSeconds * 1000;
    expect(graceMs).toBeGreaterThanOrEqual(stopDelayMs + timings.closeMs + 15_000);
    expect(deployment.spec.minReadySeconds * 1000).toBeGreaterThanOrEqual(drainMs);
    expect(deployment.spec.strategy.rollingUpdate).toEqual({ maxSurge: 1, maxUnavailable: 0 });
    expect(named('PodDisruptionBudget').spec.maxUnavailable).toBe(1);
  });

  it('has everything that selects pods select these, and reach ports that they have', () => {
    const { labels } = template.metadata;
    const selectors = [
      deployment.spec.selector.matchLabels,
      named('PodDisruptionBudget').spec.selector.matchLabels,
      named('Service').spec.selector,
      named('Service', 'fanfare-health').spec.selector,
      template.spec.topologySpreadConstraints[0].labelSelector.matchLabels,
    ];
    for (const selector of selectors) expect(labels).toMatchObject(selector);
    const targets = ['fanfare', 'fanfare-health'].map((name) => named('Service', name).spec.ports[0].targetPort);
    expect(targets).toEqual(['http', 'health']);
    expect(template.spec.serviceAccountName).toBe(named('ServiceAccount').metadata.name);
  });
});
