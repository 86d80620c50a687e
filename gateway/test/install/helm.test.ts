/** The chart, as Helm reads it and renders it. */
import { execFileSync, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { describeMetrics } from '../../dist/observability/docs.js';
import { readRepositoryFile } from '../support/compose.js';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const CHART = 'deploy/helm/fanfare';
const SECRETS = ['--set', 'secrets.FANFARE_API_KEYS=k', '--set', 'secrets.FANFARE_REDIS_URL=redis://r'];

let helm: string;
beforeAll(() => {
  const options = { cwd: ROOT, encoding: 'utf8' } as const;
  helm = execFileSync(process.execPath, ['scripts/helm.mjs', 'path'], options).trim();
}, 1_200_000);

const run = (...args: readonly string[]) => spawnSync(helm, args, { cwd: ROOT, encoding: 'utf8' });

/** What a release called `r` would be, by kind and name. */
function render(...values: readonly string[]) {
  const flags = values.flatMap((value) => ['--set', value]);
  const { status, stdout, stderr } = run('template', 'r', CHART, '--kube-version', '1.29.0', ...SECRETS, ...flags);
  expect([status, stderr]).toEqual([0, '']);
  const documents = parseAllDocuments(stdout).map((document) => document.toJS());
  return Object.fromEntries(documents.map((one) => [`${one.kind} ${one.metadata.name}`, one]));
}

describe('the chart', () => {
  it('pleases helm lint', () => {
    const { status, stdout } = run('lint', '--strict', CHART, ...SECRETS);
    expect([status, stdout]).toEqual([0, expect.stringContaining('0 chart(s) failed')]);
  });

  it('renders what deploy/kubernetes holds', () => {
    const args = ['template', 'fanfare', CHART, '--kube-version', '1.29.0', '--set', 'existingSecret=fanfare-secrets'];
    const { stdout } = run(...args);
    expect(readRepositoryFile('deploy/kubernetes/fanfare.yaml').endsWith(stdout)).toBe(true);
  });

  it('scales by connections, by a metric that there is, and leaves the number of pods to that', async () => {
    const all = render('autoscaling.enabled=true', 'autoscaling.connectionsPerPod=5000');
    const { spec } = all['HorizontalPodAutoscaler r-fanfare'];
    expect(all['Deployment r-fanfare'].spec).not.toHaveProperty('replicas');
    expect(spec.scaleTargetRef.name).toBe('r-fanfare');
    const { metric, target } = spec.metrics[0].pods;
    expect(target).toEqual({ type: 'AverageValue', averageValue: '5000' });
    expect((await describeMetrics()).map(({ name }) => name)).toContain(metric.name);
    expect(spec.behavior.scaleDown.policies).toEqual([{ type: 'Pods', value: 1, periodSeconds: 120 }]);
  });

  it('has gateways speak TLS by a Secret, and rolls them when their settings change', () => {
    const [without, withTls] = [render(), render('tls.secretName=cert', 'config.logLevel=debug')];
    const podOf = (all: ReturnType<typeof render>) => all['Deployment r-fanfare'].spec.template;
    const [container] = podOf(withTls).spec.containers;
    const mounted = container.volumeMounts.find(({ name }: { name: string }) => name === 'tls').mountPath;
    const files = container.env.filter(({ name }: { name: string }) => name.startsWith('FANFARE_TLS_'));
    expect(files.map(({ value }: { value: string }) => value)).toEqual([`${mounted}/tls.crt`, `${mounted}/tls.key`]);
    expect(podOf(withTls).spec.volumes).toContainEqual({
      name: 'tls',
      secret: { secretName: 'cert', defaultMode: 0o440 },
    });
    const checksums = [without, withTls].map((all) => podOf(all).metadata.annotations['checksum/config']);
    expect(new Set(checksums).size).toBe(2);
  });

  it('goes into an ingress and into Prometheus where it is asked to, with labels and annotations as given', () => {
    const all = render(
      'ingress.enabled=true',
      'ingress.hosts={a.example.com,b.example.com}',
      'serviceMonitor.enabled=true',
      'serviceMonitor.labels.release=prometheus',
      'podLabels.team=chat',
      'podAnnotations.note=x',
      'env.FANFARE_LOG_LEVEL=debug',
    );
    const { metadata, spec } = all['Ingress r-fanfare'];
    expect(spec.rules.map(({ host }: { host: string }) => host)).toEqual(['a.example.com', 'b.example.com']);
    expect(Number(metadata.annotations['nginx.ingress.kubernetes.io/proxy-read-timeout'])).toBeGreaterThan(35);
    expect(all['ServiceMonitor r-fanfare'].metadata.labels.release).toBe('prometheus');
    const health = all['Service r-fanfare-health'].metadata.labels;
    expect(health).toMatchObject(all['ServiceMonitor r-fanfare'].spec.selector.matchLabels);
    const { metadata: pod, spec: podSpec } = all['Deployment r-fanfare'].spec.template;
    expect([pod.labels.team, pod.annotations.note]).toEqual(['chat', 'x']);
    expect(podSpec.containers[0].env).toContainEqual({ name: 'FANFARE_LOG_LEVEL', value: 'debug' });
  });

  it('refuses to be installed without its secrets, and values that it does not know', () => {
    const without = run('template', 'r', CHART, '--kube-version', '1.29.0');
    expect([without.status, without.stderr]).toEqual([
      1,
      expect.stringContaining('secrets.FANFARE_API_KEYS is needed'),
    ]);
    const misspelt = run('template', 'r', CHART, '--kube-version', '1.29.0', ...SECRETS, '--set', 'replicas=3');
    expect([misspelt.status, misspelt.stderr]).toEqual([1, expect.stringContaining('replicas')]);
  });
});
