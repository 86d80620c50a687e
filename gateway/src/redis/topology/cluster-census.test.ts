import { describe, expect, it } from 'vitest';
import { ClusterCensus } from './cluster-census.js';
import { type ClusterAnswer, parseClusterNodes } from './cluster-nodes.js';
import { masterAt, SHARD_SLOTS } from './topology.js';

const [SLOT] = SHARD_SLOTS as [number];
const asked = { host: '10.0.0.9', port: 7000 };

interface Line {
  readonly flags?: string;
  readonly epoch?: number;
  readonly slots?: string;
}

/** CLUSTER NODES as node `self` tells it; nodes are named a, b, c and listen on 10.0.0.1:1 to :3. */
function tells(self: string, lines: Readonly<Record<string, Line>>): ClusterAnswer {
  const text = Object.entries(lines).map(([name, { flags = 'master', epoch = 1, slots = '' }]) => {
    const port = 'abc'.indexOf(name) + 1;
    const allFlags = name === self ? `myself,${flags}` : flags;
    return `${name} 10.0.0.1:${port}@1${port},host-${name} ${allFlags} - 0 0 ${epoch} connected ${slots}`;
  });
  return parseClusterNodes(`${text.join('\n')}\n`, asked);
}

function agree(...answers: ClusterAnswer[]) {
  const { view, isMajority } = new ClusterCensus().agree(new Map(answers.map((answer, i) => [String(i), answer])));
  return { owner: view.owners.get(SLOT), masters: [...view.masters.keys()].sort(), moving: view.moving, isMajority };
}

const ALL = '0-16383';

describe('CLUSTER NODES', () => {
  it('is read with single slots, ranges and marks', () => {
    const answer = tells('a', { a: { slots: '0-5 7 [9->-b] [8-<-c]', epoch: 4 }, b: { flags: 'slave' } });
    expect(answer.nodes[0]).toEqual({
      id: 'a',
      host: '10.0.0.1',
      otherHost: 'host-a',
      port: 1,
      isMaster: true,
      isUsable: true,
      configEpoch: 4,
      ranges: [
        [0, 5],
        [7, 7],
      ],
    });
    expect(answer).toMatchObject({ selfId: 'a', migrating: new Map([[9, 'b']]), importing: new Map([[8, 'c']]) });
    expect(answer.nodes[1]).toMatchObject({ isMaster: false });
  });

  it.each([
    ['10.0.0.1:7001@17001', false, '10.0.0.1'],
    [':7001@17001', false, '10.0.0.9'],
    ['10.0.0.1:7001@17001,redis.example', false, '10.0.0.1'],
    ['10.0.0.1:7001@17001,redis.example', true, 'redis.example'],
    ['fd00::1:7001@17001', false, 'fd00::1'],
    ['10.0.0.1:7001@17001,,shard-id=1', true, '10.0.0.1'],
  ])('names %s (hostname preferred: %s) as %s', (endpoint, preferHostname, host) => {
    const { nodes } = parseClusterNodes(`a ${endpoint} myself,master - 0 0 1 connected`, asked, preferHostname);
    expect(nodes[0]).toMatchObject({ host, port: 7001 });
  });
});

describe('what the nodes of a cluster say together', () => {
  it('believes the claim with the highest config epoch, whoever answers first', () => {
    const old = tells('a', { a: { slots: ALL, epoch: 1 }, b: { flags: 'slave', epoch: 1 } });
    const promoted = tells('b', { a: { epoch: 1 }, b: { slots: ALL, epoch: 7 } });
    for (const answers of [
      [old, promoted],
      [promoted, old],
    ]) {
      expect(agree(...answers)).toMatchObject({ owner: '10.0.0.1:2', masters: ['10.0.0.1:2'] });
    }
  });

  it('takes the word of the others for a node that does not answer', () => {
    const seen = { a: { slots: ALL, epoch: 3, flags: 'master,fail?' }, b: {}, c: {} };
    expect(agree(tells('b', seen), tells('c', seen))).toMatchObject({ owner: '10.0.0.1:1', isMajority: false });
  });

  it('finds no owner while the source gave a slot up and the target was not told', () => {
    const source = tells('a', { a: { epoch: 9 }, b: { slots: ALL, epoch: 2 } });
    const target = tells('b', { a: { slots: ALL, epoch: 9 }, b: { epoch: 2, slots: `[${SLOT}-<-a]` } });
    expect(agree(source, target).owner).toBeUndefined();
  });

  it('believes newer hearsay of a node more than its own older answer', () => {
    const target = tells('b', { a: { slots: ALL, epoch: 9 }, b: { epoch: 2 } });
    const source = tells('a', { a: { epoch: 9 }, b: { slots: ALL, epoch: 10 } });
    expect(agree(target, source).owner).toBe('10.0.0.1:2');
  });

  it('follows the target as soon as it was told, though the source was not', () => {
    const source = tells('a', { a: { slots: `${ALL} [${SLOT}->-b]`, epoch: 9 }, b: { epoch: 2 } });
    const target = tells('b', { a: { epoch: 9 }, b: { slots: ALL, epoch: 10 } });
    expect(agree(source, target)).toMatchObject({ owner: '10.0.0.1:2', moving: new Set() });
  });

  it('knows what is on the move, from either side, and who may get it', () => {
    const nodes = { a: { slots: ALL, epoch: 9 }, b: { epoch: 2 } };
    const source = tells('a', { ...nodes, a: { slots: `${ALL} [${SLOT}->-b]`, epoch: 9 } });
    const target = tells('b', { ...nodes, b: { slots: `[${SLOT}-<-a]`, epoch: 2 } });
    expect(agree(source, tells('b', nodes)).moving).toEqual(new Set([SLOT]));
    expect(agree(tells('a', nodes), target)).toMatchObject({
      moving: new Set([SLOT]),
      masters: ['10.0.0.1:1', '10.0.0.1:2'],
    });
  });

  it('counts the masters that serve slots, not those that have none, nor replicas', () => {
    const third = Math.floor(16384 / 3);
    const nodes = {
      a: { slots: `0-${third}`, epoch: 1 },
      b: { slots: `${third + 1}-${2 * third}`, epoch: 2 },
      c: { slots: `${2 * third + 1}-16383`, epoch: 3 },
    };
    expect(agree(tells('a', nodes)).isMajority).toBe(false);
    expect(agree(tells('a', nodes), tells('c', nodes)).isMajority).toBe(true);
  });

  it('asks everybody it hears of, except nodes without an address', () => {
    const answer = tells('a', { a: {}, b: { flags: 'slave,fail' }, c: { flags: 'handshake' } });
    expect(new ClusterCensus().peers(new Map([['x', answer]]))).toEqual([
      { host: '10.0.0.1', port: 1 },
      { host: '10.0.0.1', port: 2 },
    ]);
  });
});

it.each([true, false])(
  'a redirection by IP or hostname leads to the same master (hostname preferred: %s)',
  (preferred) => {
    const text = `a 10.0.0.1:1@2,host-a myself,master - 0 0 1 connected ${ALL}\n`;
    const answer = parseClusterNodes(text, asked, preferred);
    const { view } = new ClusterCensus(preferred).agree(new Map([['1', answer]]));
    const name = preferred ? 'host-a:1' : '10.0.0.1:1';
    for (const host of ['10.0.0.1', 'host-a']) expect(masterAt(view, { host, port: 1 })).toBe(name);
    expect(masterAt(view, { host: 'host-a', port: 2 })).toBeUndefined();
  },
);

it('half of the masters are no majority', () => {
  const halves = { a: { slots: '0-8191' }, b: { slots: '8192-16383' } };
  expect(agree(tells('a', halves)).isMajority).toBe(false);
  expect(agree(tells('a', halves), tells('b', halves)).isMajority).toBe(true);
});
