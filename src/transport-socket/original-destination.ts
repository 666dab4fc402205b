import net from 'node:net';

/** Where a client meant to connect before the kernel redirected it. */
export interface OriginalDestination {
  readonly kind: 'ip';
  readonly host: string;
  readonly port: number;
}

/** getsockopt(2): file descriptor, level, option, value, its length. 0, or -1. */
type GetSocketOption = (descriptor: number, level: number, option: number, value: Buffer, length: Buffer) => number;

/** A Node of before 26 has none. */
type NodeFfi = Pick<typeof import('node:ffi'), 'dlopen'>;

type Access =
  | { readonly kind: 'available'; readonly getSocketOption: GetSocketOption }
  | { readonly kind: 'unavailable'; readonly problem: string };

/** linux/netfilter_ipv4.h and netfilter_ipv6/ip6_tables.h: SO_ORIGINAL_DST and IP6T_SO_ORIGINAL_DST. */
const ORIGINAL_DESTINATION = 80;
/** struct sockaddr_in and sockaddr_in6 of netinet/in.h: their levels, lengths and where the address begins. */
const IPV4 = { level: 0, family: 2, length: 16, addressAt: 4 } as const;
const IPV6 = { level: 41, family: 10, length: 28, addressAt: 8 } as const;
const PORT_AT = 2;

const value = Buffer.alloc(IPV6.length);
const valueLength = Buffer.alloc(4);
const endianness = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1 ? 'LE' : 'BE';

let access: Access | undefined;

/** Why original destinations cannot be asked for here, with what to do about it; undefined where they can. */
export function originalDestinationProblem(): string | undefined {
  access ??= open();
  return access.kind === 'available' ? undefined : access.problem;
}

/**
 * Where the peer of an accepted socket meant to go, as the kernel's connection tracking remembers it. undefined where
 * nobody redirected it: the kernel knows nothing, or names the address that it came in at.
 */
export function originalDestinationOf(accepted: net.Socket): OriginalDestination | undefined {
  access ??= open();
  const descriptor = descriptorOf(accepted);
  const { localAddress = '', localPort = 0 } = accepted;
  if (access.kind === 'unavailable' || descriptor === undefined || localAddress === '') return undefined;
  const form = net.isIPv6(localAddress) && !localAddress.startsWith('::ffff:') ? IPV6 : IPV4;
  writeLength(form.length);
  if (access.getSocketOption(descriptor, form.level, ORIGINAL_DESTINATION, value, valueLength) !== 0) return undefined;
  const destination = readSocketAddress(value, form);
  if (destination === undefined) return undefined;
  const isOwn = destination.port === localPort && isSameHost(destination.host, localAddress);
  return isOwn ? undefined : destination;
}

/** Whether two spellings mean one address; an IPv4 address may come in an IPv6 one. */
function isSameHost(one: string, other: string): boolean {
  return plainHost(one) === plainHost(other);
}

/** What a proxy or the kernel says of a socket's destination; undefined where that is the socket's own end. */
export function restoredDestination(
  told: { readonly destinationAddress: string; readonly destinationPort: number },
  own: { readonly localAddress: string; readonly localPort: number },
): OriginalDestination | undefined {
  const { destinationAddress: host, destinationPort: port } = told;
  if (port === own.localPort && isSameHost(host, own.localAddress)) return undefined;
  return { kind: 'ip', host: plainHost(host), port };
}

function plainHost(host: string): string {
  return host.startsWith('::ffff:') && net.isIPv4(host.slice('::ffff:'.length)) ? host.slice('::ffff:'.length) : host;
}

function readSocketAddress(bytes: Buffer, form: typeof IPV4 | typeof IPV6): OriginalDestination | undefined {
  const family = endianness === 'LE' ? bytes.readUInt16LE(0) : bytes.readUInt16BE(0);
  if (family !== form.family) return undefined;
  const port = bytes.readUInt16BE(PORT_AT);
  if (form === IPV4) return { kind: 'ip', host: bytes.subarray(4, 8).join('.'), port };
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(form.addressAt + 2 * index).toString(16));
  // Node writes it as everybody does, with its zeros left out.
  const { address } = new net.SocketAddress({ address: groups.join(':'), family: 'ipv6' });
  return { kind: 'ip', host: plainHost(address), port };
}

function writeLength(length: number): void {
  if (endianness === 'LE') valueLength.writeInt32LE(length);
  else valueLength.writeInt32BE(length);
}

function descriptorOf(socket: net.Socket): number | undefined {
  const handle: unknown = Reflect.get(socket, '_handle');
  const descriptor: unknown = typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'fd') : undefined;
  return typeof descriptor === 'number' && descriptor >= 0 ? descriptor : undefined;
}

/** Node's FFI is young: loaded only when somebody asks, and believed only after a call that must fail in a known way. */
function open(): Access {
  if (process.platform !== 'linux') {
    return unavailable(`redirected connections are known on Linux only, and this is ${process.platform}`);
  }
  const ffi = loadFfi();
  if (ffi === undefined) {
    return unavailable(`Node ${process.versions.node} has no node:ffi; run Weft with the Node 26 that it brings along`);
  }
  try {
    const { functions } = ffi.dlopen(null, {
      getsockopt: { arguments: ['i32', 'i32', 'i32', 'buffer', 'buffer'], return: 'i32' },
    });
    const getSocketOption: GetSocketOption = functions.getsockopt;
    writeLength(IPV4.length);
    const answer = getSocketOption(-1, IPV4.level, ORIGINAL_DESTINATION, value, valueLength);
    if (answer !== -1) return unavailable(`getsockopt answered ${answer} for a descriptor that does not exist`);
    return { kind: 'available', getSocketOption };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return unavailable(`node:ffi cannot call getsockopt (${reason}); start Node with --allow-ffi under --permission`);
  }
}

/** Without Node's warning on standard error, from each worker, that it may change: the trial call is how we would notice. */
function loadFfi(): NodeFfi | undefined {
  const emitWarning = process.emitWarning.bind(process);
  process.emitWarning = () => undefined;
  try {
    return process.getBuiltinModule('node:ffi');
  } finally {
    process.emitWarning = emitWarning;
  }
}

function unavailable(problem: string): Access {
  return { kind: 'unavailable', problem };
}
