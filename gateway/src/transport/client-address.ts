import { BlockList, isIP } from 'node:net';

/** The address of whom a request is from: of the peer, or as proxies in between told it in `X-Forwarded-For`. */
type ClientAddress = (peer: string, forwardedFor: string) => string;

/**
 * Believes what trusted proxies say, and nobody else: from right to left, the first address that is not
 * a trusted proxy's is the client's.
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

/** Without a port, and IPv4 as such where it came as IPv6. `undefined`: no address (`unknown`, a made-up name). */
function plain(text: string): string | undefined {
  const [, bracketed, withPort] = /^\[([^\]]*)\](?::\d+)?$|^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(text) ?? [];
  const address = (bracketed ?? withPort ?? text).replace(/^(?:::|(?:0{1,4}:){5})ffff:(?=\d+\.)/i, '');
  return isIP(address) === 0 ? undefined : address;
}
