import { BlockList, isIP } from 'node:net';

/** True for an address of the public internet; false for every other address and for text that is none. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return !reservedIpv4.check(address, 'ipv4');
  if (family !== 6 || address.includes('%')) return false;
  return publicIpv6.check(address, 'ipv6') && !reservedIpv6.check(address, 'ipv6');
}

/** The host of a URL as an IP address, or undefined when it is a name. */
export function literalAddress(hostname: string): string | undefined {
  const bare = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
  return isIP(bare) === 0 ? undefined : bare;
}

/** IANA IPv4 Special-Purpose Address Registry, multicast, and the one public address of a metadata service. */
const reservedIpv4Subnets: readonly (readonly [string, number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['168.63.129.16', 32],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
];

/** NAT64 (RFC 6052): the last 32 bits are an IPv4 address, so its rules apply to them. */
const nat64Prefix = '64:ff9b::';
const nat64PrefixBits = 96;

const reservedIpv4 = new BlockList();
/** Global unicast and NAT64; loopback, link-local, unique-local, mapped IPv4 and multicast lie outside. */
const publicIpv6 = new BlockList();
publicIpv6.addSubnet('2000::', 3, 'ipv6');
publicIpv6.addSubnet(nat64Prefix, nat64PrefixBits, 'ipv6');
/** Inside global unicast: IETF protocols with Teredo, documentation, 6to4 (which embeds any IPv4). */
const reservedIpv6 = new BlockList();
reservedIpv6.addSubnet('2001::', 23, 'ipv6');
reservedIpv6.addSubnet('2001:db8::', 32, 'ipv6');
reservedIpv6.addSubnet('2002::', 16, 'ipv6');
reservedIpv6.addSubnet('3fff::', 20, 'ipv6');
for (const [network, bits] of reservedIpv4Subnets) {
  reservedIpv4.addSubnet(network, bits, 'ipv4');
  reservedIpv6.addSubnet(`${nat64Prefix}${network}`, nat64PrefixBits + bits, 'ipv6');
}
