import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** What this machine can hold, looked at before anything is opened. */
interface Machine {
  /** Files that one process may have open. */
  readonly filesPerProcess: number;
  /** How many local ports there are for connections from one address to one server. */
  readonly portsPerAddress: number;
  readonly cores: number;
}

/** How many open files of a generator process are no connections. */
const OTHER_FILES = 300;
/** The share of the ports of an address that is used. With more, finding a free one would take ever longer. */
const PORT_SHARE = 0.6;
const LINUX_PORTS = [32_768, 60_999] as const;
const UNLIMITED = 1_000_000;

export function inspectMachine(): Machine {
  const [low, high] = read('/proc/sys/net/ipv4/ip_local_port_range')?.trim().split(/\s+/).map(Number) ?? LINUX_PORTS;
  const files = /^Max open files\s+(\d+|unlimited)/m.exec(read('/proc/self/limits') ?? '')?.[1];
  return {
    filesPerProcess: files === undefined || files === 'unlimited' ? UNLIMITED : Number(files),
    portsPerAddress: (high as number) - (low as number) + 1,
    cores: availableParallelism(),
  };
}

interface Layout {
  /** How many processes there are. If there is more than one, the last one publishes. */
  readonly workers: number;
  /** For each worker, the addresses of 127.0.0.0/8 to connect from. None: the system chooses. */
  readonly localAddresses: readonly (readonly string[])[];
}

/**
 * Finds out how many processes and source addresses a number of connections needs.
 * @throws {Error} that says what this machine lacks
 */
export function layOut(
  { filesPerProcess, portsPerAddress, cores }: Machine,
  connections: number,
  isLoopback: boolean,
  asked: number | undefined,
): Layout {
  const perProcess = filesPerProcess - OTHER_FILES;
  const needed = Math.max(1, Math.ceil(connections / perProcess));
  const readers = asked === undefined ? Math.max(needed, Math.min(4, Math.max(1, cores - 1))) : Math.max(1, asked - 1);
  if (readers < needed) {
    throw new Error(
      `${connections} connections need ${needed + 1} generator processes here: each may have ${filesPerProcess} files (ulimit -n)`,
    );
  }
  const perAddress = Math.floor(portsPerAddress * PORT_SHARE);
  const workers = asked === 1 ? 1 : readers + 1;
  if (connections <= perAddress) return { workers, localAddresses: Array.from({ length: workers }, () => []) };
  if (!isLoopback && connections > portsPerAddress) {
    throw new Error(
      `${connections} connections to one address need more local ports than this machine has (${portsPerAddress}): widen net.ipv4.ip_local_port_range or spread the run over agents`,
    );
  }
  if (!isLoopback) return { workers, localAddresses: Array.from({ length: workers }, () => []) };
  const perWorker = Math.ceil(connections / readers / perAddress);
  const localAddresses = Array.from({ length: workers }, (_, worker) =>
    Array.from(
      { length: perWorker },
      (_, i) => `127.0.${1 + Math.floor((worker * perWorker + i) / 250)}.${1 + ((worker * perWorker + i) % 250)}`,
    ),
  );
  return { workers, localAddresses };
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
