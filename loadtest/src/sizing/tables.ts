/** The tables and reports that `fanfare-load sizing` prints. */
import { median } from '../report/statistics.js';
import type { Costs } from './costs.js';
import type { Load } from './placement.js';
import type { Prediction } from './predict.js';
import type { Simulation } from './simulate.js';
import { type Limits, type Size, sizeFor, usesOf } from './size.js';

/** The loads of the table in `docs/SIZING.md`. */
const PROFILES = [
  { name: 'quiet', messagesPerConnectionSecond: 0.001 },
  { name: 'chat', messagesPerConnectionSecond: 0.01 },
  { name: 'busy', messagesPerConnectionSecond: 0.1 },
] as const;
const CONNECTIONS = [10_000, 100_000, 1_000_000];
export const PROFILE_LOAD = { channelsPerConnection: 1, skew: 0.8, publishSkew: 0.5 };

type Row = readonly string[];

/** Returns how many gateways and masters the loads need that `docs/SIZING.md` names, as Markdown. */
export function sizingTable(costs: Costs, limits: Limits): string {
  const rows = CONNECTIONS.flatMap((connections) =>
    PROFILES.map(({ name, messagesPerConnectionSecond }): Row => {
      const messagesPerSecond = connections * messagesPerConnectionSecond;
      const wanted = { ...PROFILE_LOAD, connections, channels: connections, messagesPerSecond };
      const size = sizeFor(wanted, costs, limits);
      return [
        count(connections),
        `${name}: ${count(messagesPerSecond)}`,
        count(deliveries(size)),
        ...fleetColumns(size),
      ];
    }),
  );
  return markdown(['connections', 'messages/s', 'deliveries/s', 'gateways', 'masters', 'fullest', 'then'], rows);
}

function fleetColumns({ load, uses }: Size): Row {
  const [first, second] = uses;
  const use = (one: typeof first) => `${one?.what} ${percent(one?.share ?? 0)}`;
  return [`${load.gateways} + 1`, String(load.masters), use(first), use(second)];
}

function deliveries({ simulation }: Size): number {
  return simulation.gateways.reduce((sum, one) => sum + one.deliveries, 0);
}

/** Returns a report of the busiest and the median gateway and master, and of what limits first. */
export function simulationReport(load: Load, simulation: Simulation, limits: Limits): string {
  const { gateways, masters } = simulation;
  const pair = <T>(list: readonly T[], figureOf: (one: T) => number, print: (value: number) => string): Row => {
    const figures = list.map(figureOf);
    return [print(Math.max(...figures)), print(median(figures))];
  };
  const table = markdown(
    ['', 'busiest', 'median'],
    [
      ['gateway: CPU of a core', ...pair(gateways, ({ cpu }) => cpu, percent)],
      [
        'gateway: memory',
        ...pair(
          gateways,
          ({ memoryBytes }) => memoryBytes / 1e6,
          (mb) => `${count(mb)} MB`,
        ),
      ],
      ['gateway: channels', ...pair(gateways, ({ channels }) => channels, count)],
      ['gateway: pushes/s from Redis', ...pair(gateways, ({ pushes }) => pushes, count)],
      ['gateway: deliveries/s', ...pair(gateways, (one) => one.deliveries, count)],
      ['gateway: output', ...pair(gateways, ({ outputBytes }) => outputBytes / 1e6, megabytes)],
      ['master: CPU of a core', ...pair(masters, ({ cpu }) => cpu, percent)],
      ['master: publishes/s', ...pair(masters, ({ publishes }) => publishes, count)],
      ['master: pushes/s to gateways', ...pair(masters, ({ pushes }) => pushes, count)],
      ['master: output', ...pair(masters, ({ outputBytes }) => outputBytes / 1e6, megabytes)],
    ],
  );
  const total = masters.reduce((sum, one) => sum + one.pushes, 0);
  const [first] = usesOf(simulation, limits);
  return [
    `${count(load.gateways)} gateways, ${count(load.masters)} masters, ${count(load.connections)} connections, ${count(load.channels)} channels of skew ${load.skew}, ${load.channelsPerConnection} a connection, ${count(load.messagesPerSecond)} messages/s`,
    '',
    table,
    '',
    `A publish reaches ${(total / load.messagesPerSecond).toFixed(1)} gateways on average. What is full first: ${first?.what}, at ${percent(first?.share ?? 0)} of its limit.`,
  ].join('\n');
}

export function predictionTable(rows: readonly Prediction[]): string {
  return markdown(
    ['', 'predicted', 'measured', 'off by'],
    rows.map(({ what, unit, predicted, measured }) => {
      const print = (value: number) => (unit === 'core' ? percent(value) : count(value));
      const off = Math.round((predicted / measured - 1) * 100);
      return [
        `${what}, ${unit === 'core' ? '% of a core' : unit}`,
        print(predicted),
        print(measured),
        `${off > 0 ? '+' : ''}${off} %`,
      ];
    }),
  );
}

/** Returns the table of the costs, as Markdown. */
export function costsTable({ gatewayUs, gatewayBytes, redisUs, redisOutputBytes, deliveryBytes }: Costs): string {
  const us = (value: number) => `${significant(value)} us`;
  const bytes = (value: number) => `${significant(value)} B`;
  return markdown(
    ['', 'gateway CPU', 'gateway memory', 'Redis CPU', 'Redis output'],
    [
      [
        'a process, each second',
        us(gatewayUs.second),
        `${count(gatewayBytes.process / 1e6)} MB`,
        us(redisUs.second),
        bytes(redisOutputBytes.second),
      ],
      [
        'a gateway connected to a master, each second',
        '',
        '',
        us(redisUs.gatewaySecond),
        bytes(redisOutputBytes.gatewaySecond),
      ],
      ['an idle connection, each second', us(gatewayUs.connectionSecond), bytes(gatewayBytes.connection), '', ''],
      ['a subscription', '', bytes(gatewayBytes.subscription), '', ''],
      [
        'a channel on a gateway, each second',
        us(gatewayUs.channelSecond),
        bytes(gatewayBytes.channel),
        us(redisUs.channelSecond),
        bytes(redisOutputBytes.channelSecond),
      ],
      ['a publish', us(gatewayUs.publish), '', us(redisUs.publish), bytes(redisOutputBytes.publish)],
      [
        'its push to a gateway with subscribers',
        us(gatewayUs.push),
        '',
        us(redisUs.push),
        bytes(redisOutputBytes.push),
      ],
      [`its delivery to a subscriber (${bytes(deliveryBytes)} on the network)`, us(gatewayUs.delivery), '', '', ''],
      ['a wake-up', us(gatewayUs.wakeup), '', '', ''],
    ],
  );
}

function markdown(heads: Row, rows: readonly Row[]): string {
  const line = (cells: Row) => `| ${cells.join(' | ')} |`;
  return [line(heads), line(heads.map(() => '---')), ...rows.map(line)].join('\n');
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function megabytes(value: number): string {
  return `${value.toFixed(1)} MB/s`;
}

function significant(value: number): string {
  return Number(value.toPrecision(2)).toLocaleString('en-US');
}
