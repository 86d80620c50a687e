import { expect, it } from 'vitest';
import {
  dataConnectionOptions,
  formatAddress,
  parseRedisUrl,
  type SentinelTarget,
  sentinelConnectionOptions,
} from './url.js';

it('reads each kind of URL, with its default port', () => {
  expect(parseRedisUrl('redis://localhost')).toEqual({
    kind: 'standalone',
    node: { host: 'localhost', port: 6379 },
    db: 0,
    tls: false,
  });
  expect(parseRedisUrl('rediss://u:p%40ss@[::1]:7000/2')).toEqual({
    kind: 'standalone',
    node: { host: '::1', port: 7000 },
    db: 2,
    tls: true,
    username: 'u',
    password: 'p@ss',
  });
  expect(parseRedisUrl('redis+cluster://:p@a:1,b')).toEqual({
    kind: 'cluster',
    nodes: [
      { host: 'a', port: 1 },
      { host: 'b', port: 6379 },
    ],
    tls: false,
    password: 'p',
  });
  expect(parseRedisUrl('redis+sentinel://a,b:26380/my%20master/1')).toEqual({
    kind: 'sentinel',
    sentinels: [
      { host: 'a', port: 26379 },
      { host: 'b', port: 26380 },
    ],
    masterName: 'my master',
    db: 1,
    tls: false,
  });
});

it('reads the login for sentinels, apart from that for data', () => {
  const target = parseRedisUrl('redis+sentinel://u:p@a/main/1?sentinelUsername=s&sentinelPassword=q%26=%40');
  expect(target).toMatchObject({
    username: 'u',
    password: 'p',
    db: 1,
    sentinelUsername: 's',
    sentinelPassword: 'q&=@',
  });
  expect(sentinelConnectionOptions(target as SentinelTarget)).toEqual({ username: 's', password: 'q&=@' });
  expect(parseRedisUrl('redis+sentinel://a/main?sentinelPassword=q')).toMatchObject({ sentinelPassword: 'q' });
});

it('takes the last @ as the end of the password', () => {
  expect(parseRedisUrl('redis://u:a@b:c@host:1')).toMatchObject({ username: 'u', password: 'a@b:c' });
});

it('gives every connection to data the same login', () => {
  expect(dataConnectionOptions(parseRedisUrl('rediss://u:p@h/4'))).toEqual({
    username: 'u',
    password: 'p',
    tls: {},
    db: 4,
  });
  expect(dataConnectionOptions(parseRedisUrl('redis+cluster://h'))).toEqual({});
});

it('writes addresses as they are read', () => {
  for (const host of ['a', '127.0.0.1', '::1']) {
    const address = { host, port: 1 };
    expect(parseRedisUrl(`redis://${formatAddress(address)}`)).toMatchObject({ node: address });
  }
});

it.each([
  ['', 'must look like'],
  ['http://localhost', 'must look like'],
  ['redis://', 'must look like'],
  ['redis://host?db=1', 'may have a ?'],
  ['redis+sentinel://host/main?password=secret', 'and nothing else'],
  ['redis+sentinel://host/main?sentinelPassword=secret%zz', 'percent-encoding'],
  ['redis://a,b', 'names one host'],
  ['redis://host:0', 'unusable host'],
  ['redis://host:65536', 'unusable host'],
  ['redis://ho st', 'unusable host'],
  ['redis+cluster://a,,b', 'unusable host'],
  ['redis://host/x', 'unusable database'],
  ['redis+cluster://host/1', 'database 0 only'],
  ['redis+sentinel://host', 'name of the master'],
  ['redis://u:secret%zz@host', 'percent-encoding'],
])('refuses %s: %s', (url, reason) => {
  expect(() => parseRedisUrl(url)).toThrow(reason);
  expect(() => parseRedisUrl(url)).not.toThrow('secret');
});
