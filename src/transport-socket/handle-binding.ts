import { getSystemErrorMap } from 'node:util';

/** Node's own request objects; only what is used of them. */
export interface WriteRequest {
  oncomplete: ((status: number) => void) | null;
  /** Keeps the bytes alive until they are written. */
  buffer: Uint8Array | null;
  /** Set where it completed before anybody could be told. */
  writeStatus: number | null;
}

export interface ShutdownRequest {
  oncomplete: () => void;
}

export interface ConnectRequest {
  oncomplete: (status: number) => void;
}

export interface SocketName {
  address?: string;
  port?: number;
}

/** Node's wrapper of libuv's TCP handle: what net.Socket itself is built on. Results are 0 or a negative system error. */
export interface TcpHandle {
  onread: (this: TcpHandle) => Uint8Array | undefined;
  readonly writeQueueSize: number;
  readStart(): number;
  readStop(): number;
  useUserBuffer(buffer: Uint8Array): void;
  /** Without a request one is made only where the kernel did not take all of it at once. */
  writeLatin1String(request: null, text: string): number | WriteRequest;
  writeBuffer(request: null, bytes: Uint8Array): number | WriteRequest;
  shutdown(request: ShutdownRequest): number;
  connect(request: ConnectRequest, address: string, port: number): number;
  connect6(request: ConnectRequest, address: string, port: number): number;
  setNoDelay(enabled: boolean): number;
  getpeername(name: SocketName): number;
  getsockname(name: SocketName): number;
  close(closed: () => void): void;
  reset(closed: () => void): number;
}

export interface HandleBinding {
  readonly Tcp: new (type: number) => TcpHandle;
  readonly ConnectRequest: new () => ConnectRequest;
  readonly ShutdownRequest: new () => ShutdownRequest;
  /** The `type` of a handle that dials. */
  readonly socketType: number;
  /** Where a read leaves its number of bytes, or its error. */
  readonly state: Int32Array;
  readonly readBytesAt: number;
  readonly endOfFile: number;
  readonly notConnected: number;
}

/** The one whose handles were read and tested; with others net.Socket does the same, slower. */
const KNOWN_NODE_MAJOR = 26;

function load(): HandleBinding | undefined {
  if (Number.parseInt(process.versions.node, 10) !== KNOWN_NODE_MAJOR) return undefined;
  const tcp = binding('tcp_wrap');
  const stream = binding('stream_wrap');
  return tcp === undefined || stream === undefined ? undefined : read(tcp, stream);
}

function read(tcp: object, stream: object): HandleBinding | undefined {
  const state: unknown = Reflect.get(stream, 'streamBaseState');
  const readBytesAt: unknown = Reflect.get(stream, 'kReadBytesOrError');
  const constants: unknown = Reflect.get(tcp, 'constants');
  const socketType: unknown = isObject(constants) ? Reflect.get(constants, 'SOCKET') : undefined;
  const Tcp: unknown = Reflect.get(tcp, 'TCP');
  const Connect: unknown = Reflect.get(tcp, 'TCPConnectWrap');
  const Shutdown: unknown = Reflect.get(stream, 'ShutdownWrap');
  const endOfFile = systemError('EOF');
  const notConnected = systemError('ENOTCONN');
  if (!(state instanceof Int32Array) || typeof readBytesAt !== 'number' || typeof socketType !== 'number')
    return undefined;
  if (!isTcp(Tcp) || !isRequest<ConnectRequest>(Connect) || !isRequest<ShutdownRequest>(Shutdown)) return undefined;
  if (endOfFile === undefined || notConnected === undefined) return undefined;
  return {
    Tcp,
    ConnectRequest: Connect,
    ShutdownRequest: Shutdown,
    socketType,
    state,
    readBytesAt,
    endOfFile,
    notConnected,
  };
}

function binding(name: string): object | undefined {
  const give: unknown = Reflect.get(process, 'binding');
  if (typeof give !== 'function') return undefined;
  try {
    const found: unknown = Reflect.apply(give, process, [name]);
    return isObject(found) ? found : undefined;
  } catch {
    // The permission model takes it away.
    return undefined;
  }
}

const TCP_METHODS = ['readStart', 'readStop', 'useUserBuffer', 'writeLatin1String', 'writeBuffer', 'shutdown'];
const TCP_METHODS_TOO = ['connect', 'connect6', 'setNoDelay', 'getpeername', 'getsockname', 'close', 'reset'];

function isTcp(candidate: unknown): candidate is HandleBinding['Tcp'] {
  if (typeof candidate !== 'function') return false;
  const prototype: unknown = candidate.prototype;
  return (
    isObject(prototype) &&
    [...TCP_METHODS, ...TCP_METHODS_TOO].every((name) => typeof Reflect.get(prototype, name) === 'function')
  );
}

function isRequest<R>(candidate: unknown): candidate is new () => R {
  return typeof candidate === 'function';
}

function isObject(candidate: unknown): candidate is object {
  return typeof candidate === 'object' && candidate !== null;
}

function systemError(wanted: string): number | undefined {
  for (const [number, [name]] of getSystemErrorMap()) if (name === wanted) return number;
  return undefined;
}

/** undefined where this Node has not got what we know, or does not give it away. */
export const handleBinding: HandleBinding | undefined = load();
