import { BlockList, isIP } from 'node:net';

/**
 * Finds the address of the client that sent a request: the address of the peer, or the one that proxies in between put
 * into `X-Forwarded-For`.
 */
type ClientAddress = (peer: string, forwardedFor: string) => string;

/**
 * Believes trusted proxies and nobody else: reading `X-Forwarded-For` from right to left, the first address that does
 * not belong to a trusted proxy is the client's.
 * @param trusted addresses and networks: `10.0.0.1`, `10.0.0.0/8`, `fd00::/8`
 */
export function createClientAddress(trusted: readonly string[]): ClientAddress {
  if (trusted.length === 0) return (peer) => peer;
  const proxies = new BlockList();
  for (const entry of trusted) {
    const network = parseNetwork(entry);
    if (network) proxies.addSubnet(network.address, network.bits, network.family);
  }
  const isProxy = (address: string) => proxies.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
  return (peer, forwardedFor) => {
    let client = plain(peer) ?? peer;
    for (const hop of forwardedFor.split(',').reverse()) {
      const address = plain(hop.trim());
      if (isIP(client) === 0 || !isProxy(client) || address === undefined) break;
      client = address;
    }
    return client;
  };
}

/** Reads an address or a network. `undefined`: the text is neither. */
export function parseNetwork(text: string) {
  const [, address = '', bits] = /^([\da-f.:]+)(?:\/(\d{1,3}))?$/i.exec(text) ?? [];
  const version = isIP(address);
  const width = version === 6 ? 128 : 32;
  const length = Number(bits ?? width);
  if (version === 0 || length > width) return undefined;
  return { address, bits: length, family: version === 6 ? ('ipv6' as const) : ('ipv4' as const) };
}

/**
 * The address without its port; an IPv4 address that came in IPv6 form is written as IPv4. `undefined`: the text is no
 * address (`unknown`, or a made-up name).
 */
function plain(text: string): string | undefined {
  const [, bracketed, withPort] = /^\[([^\]]*)\](?::\d+)?$|^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(text) ?? [];
  const address = (bracketed ?? withPort ?? text).replace(/^(?:::|(?:0{1,4}:){5})ffff:(?=\d+\.)/i, '');
  return isIP(address) === 0 ? undefined : address;
}
