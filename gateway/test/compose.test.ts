import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../src/config/config.js';
import { placed } from '../src/config/setting.js';
import { SETTINGS } from '../src/config/settings.js';
import { parseRedisUrl } from '../src/redis/url.js';
import {
  type ComposeService,
  compose,
  composeGateways,
  composeSettings,
  readRepositoryFile,
} from './support/compose.js';

const { services } = compose;
const dockerfile = readRepositoryFile('Dockerfile');

describe('docker-compose.yml', () => {
  it('has two gateways whose settings the gateway knows and takes', () => {
    expect(composeGateways).toHaveLength(2);
    const known = new Set(placed(SETTINGS).flatMap(({ variables }) => variables));
    for (const [, service] of composeGateways) {
      const env = composeSettings(service);
      expect(Object.keys(env).filter((name) => !known.has(name))).toEqual([]);
      const config = loadConfig({ argv: [], env, cwd: '/' });
      expect(config.host).toBe('0.0.0.0');
      expect(config.port).toBe(8080);
    }
  });

  it('points them at a Redis that it runs, by default and in the cluster profile', () => {
    const urls = [
      composeSettings(composeGateways[0]?.[1] as ComposeService).FANFARE_REDIS_URL as string,
      /FANFARE_REDIS_URL=(redis\+cluster:\S+)/.exec(readRepositoryFile('docker-compose.yml'))?.[1] as string,
    ];
    for (const url of urls) {
      expect(() => parseRedisUrl(url)).not.toThrow();
      for (const [, host, port] of url.matchAll(/([\w-]+):(\d+)/g)) {
        const redis = services[host as string] as ComposeService;
        expect(redis.image).toMatch(/^redis:7/);
        expect(redis.command).toContain('noeviction');
        expect(redis.environment?.PORT ?? '6379').toBe(port);
      }
    }
  });

  it('runs a cluster of six only in its profile, set up once', () => {
    const nodes = Object.entries(services).filter(([name]) => /^redis-\d$/.test(name));
    expect(nodes).toHaveLength(6);
    for (const [name, node] of nodes) {
      expect(node.profiles).toEqual(['cluster']);
      expect(node.command).toContain('--cluster-enabled yes');
      expect(services['cluster-setup']?.depends_on?.[name]?.condition).toBe('service_healthy');
    }
    expect(services['cluster-setup']?.command).toContain('--cluster-replicas 1');
  });

  it('balances plain TCP over both, without stickiness, by the health port that they have', () => {
    const haproxy = compose.configs.haproxy?.content as string;
    expect(haproxy).toContain('mode tcp');
    expect(haproxy).not.toMatch(/stick|balance source|cookie/);
    for (const [name] of composeGateways) expect(haproxy).toContain(`server ${name} ${name}:8080`);
    expect(haproxy).toContain(`bind :${services.balancer?.ports?.[0]?.split(':')[1]}`);
    const [, checkedPort] = /default-server check port (\d+)/.exec(haproxy) ?? [];
    for (const [, service] of composeGateways) {
      expect(composeSettings(service).FANFARE_HEALTH_PORT).toBe(checkedPort);
    }
  });
});

describe('Dockerfile', () => {
  it('starts a program and copies folders that exist', () => {
    const [, program] = /^CMD \["node", "([^"]+)", "serve"\]$/m.exec(dockerfile) ?? [];
    expect(existsSync(fileURLToPath(new URL(`../../${program}`, import.meta.url)))).toBe(true);
    for (const [, folder] of dockerfile.matchAll(/--from=build \/app\/(\S+)/g)) {
      expect(existsSync(fileURLToPath(new URL(`../../${folder}`, import.meta.url))), folder).toBe(true);
    }
    expect(dockerfile).toMatch(/EXPOSE 8080/);
  });

  it('keeps the one uWebSockets.js binary that its Node version loads, on a glibc that fits', () => {
    const [, major, debian] = /^FROM node:(\d+)-(\w+)-slim AS build$/m.exec(dockerfile) ?? [];
    expect(new Set([...dockerfile.matchAll(/^FROM (node:\S+)/gm)].map(([, image]) => image)).size).toBe(1);
    // Debian 13, trixie: glibc 2.41; the addon's binaries for Node 22 and later want 2.38.
    expect(debian).toBe('trixie');
    const abi = { '20': 115, '22': 127, '24': 137 }[major as string];
    expect(
      existsSync(
        fileURLToPath(new URL(`../../node_modules/uWebSockets.js/uws_linux_x64_${abi}.node`, import.meta.url)),
      ),
    ).toBe(true);
    expect(dockerfile).toContain('process.versions.modules');
  });
});
