import type { Address, CidrRange, Locality } from './address.ts';
import { ipFamily } from './ip-literal.ts';
import type { MessageReader } from './message-reader.ts';

/** Stands in for an address that was refused, so that reading can go on. */
const NO_ADDRESS: Address = { kind: 'ip', host: '', port: 0 };

/** envoy.config.core.v3.Address: a TCP socket address or a pipe. Hosts must be IP literals unless names are allowed. */
export function decodeAddress(reader: MessageReader | undefined, hosts: 'ip' | 'ipOrName' = 'ip'): Address {
  if (reader === undefined) return NO_ADDRESS;
  switch (reader.oneof('address')) {
    case 'socket_address':
      return decodeSocketAddress(reader.message('socket_address'), hosts);
    case 'pipe':
      return decodePipe(reader.message('pipe'));
    case 'envoy_internal_address':
      reader.refuse('envoy_internal_address');
      return NO_ADDRESS;
    default:
      reader.fault('', 'must have a socket_address or a pipe');
      return NO_ADDRESS;
  }
}

/** envoy.config.core.v3.CidrRange. */
export function decodeCidrRange(reader: MessageReader): CidrRange {
  const addressPrefix = reader.string('address_prefix');
  const prefixLength = reader.wrappedNumber('prefix_len') ?? 0;
  const family = ipFamily(addressPrefix);
  if (family === 0) reader.fault('address_prefix', `${JSON.stringify(addressPrefix)} is not an IP address`);
  const longest = family === 6 ? 128 : 32;
  if (prefixLength > longest) reader.fault('prefix_len', `must be at most ${longest}, not ${prefixLength}`);
  return { addressPrefix, prefixLength };
}

/** envoy.config.core.v3.Locality; an absent one has empty parts. */
export function decodeLocality(reader: MessageReader | undefined): Locality {
  if (reader === undefined) return { region: '', zone: '', subZone: '' };
  return { region: reader.string('region'), zone: reader.string('zone'), subZone: reader.string('sub_zone') };
}

function decodeSocketAddress(reader: MessageReader | undefined, hosts: 'ip' | 'ipOrName'): Address {
  if (reader === undefined) return NO_ADDRESS;
  reader.choice('protocol', { TCP: 'tcp' }, 'tcp');
  reader.refuse('resolver_name');
  const host = reader.string('address');
  if (host === '') reader.fault('address', 'must not be empty');
  else if (hosts === 'ip' && ipFamily(host) === 0) {
    reader.fault('address', `${JSON.stringify(host)} is not an IP address; names need a DNS cluster`);
  }
  if (reader.oneof('port_specifier') === 'named_port') reader.refuse('named_port');
  const port = reader.number('port_value');
  if (port > 65535) reader.fault('port_value', `must be at most 65535, not ${port}`);
  return { kind: 'ip', host, port, ...(reader.boolean('ipv4_compat') ? { ipv4Compat: true } : {}) };
}

function decodePipe(reader: MessageReader | undefined): Address {
  const path = reader?.requiredString('path') ?? '';
  const mode = reader?.number('mode') ?? 0;
  if (mode > 0o777) reader?.fault('mode', `must be at most 511 (0777), not ${mode}`);
  return { kind: 'pipe', path, mode };
}
