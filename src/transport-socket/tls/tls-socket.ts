import type net from 'node:net';
import tls from 'node:tls';
import type { Address } from '../../resource/address.ts';
import type { LentBuffer } from '../lent-buffer.ts';
import { handleOf, LentSocket, spend } from '../lent-reads.ts';
import type { ReleasedTransport } from '../stream-socket.ts';
import type { PresentedCertificate } from './peer-verification.ts';
import type { CompiledTls } from './tls-context.ts';

/** A TLS socket, and where its application bytes go: lent, or as 'data' events where this Node knows no better. */
export interface OpenedTls {
  readonly socket: tls.TLSSocket;
  readonly lent: LentSocket | undefined;
}

/** The option in which a TLS socket finds the handle that it shall take instead of making one. */
const ACCEPTED_HANDLE = 'weftAcceptedHandle';

/** Node takes `onread` only of TLS sockets that make their own handle. This one takes a handle that is there already. */
class AdoptingTlsSocket extends tls.TLSSocket {
  /** Called by the constructor above. */
  _wrapHandle(wrap: unknown, _handle: unknown, hasActiveWrite: unknown): unknown {
    const accepted = propertyOf(Reflect.get(this, '_tlsOptions'), ACCEPTED_HANDLE);
    const wrapHandle: unknown = Reflect.get(tls.TLSSocket.prototype, '_wrapHandle');
    if (typeof wrapHandle !== 'function') throw new Error('this Node has no TLSSocket._wrapHandle');
    const wrapped: unknown = Reflect.apply(wrapHandle, this, [wrap, accepted, hasActiveWrite]);
    return wrapped;
  }
}

export interface AcceptTlsOptions {
  readonly compiled: CompiledTls;
  readonly alpn: Buffer | undefined;
  /** What has been read of the handshake before. */
  readonly firstBytes: Buffer | undefined;
  readonly highWaterMark: number;
}

/** The server's end of a handshake on a transport that is paused and has nothing to write. A socket given is spent. */
export function acceptTls(accepted: ReleasedTransport, lent: LentBuffer, options: AcceptTlsOptions): OpenedTls {
  const { compiled, firstBytes, highWaterMark } = options;
  const shared = {
    isServer: true,
    secureContext: compiled.secureContext,
    requestCert: compiled.requestsCertificate,
    rejectUnauthorized: compiled.requiresCertificate,
    allowHalfOpen: true,
    highWaterMark,
    ...(options.alpn === undefined ? {} : { ALPNProtocols: options.alpn }),
  };
  const opened = open(accepted, firstBytes, lent, shared);
  const { socket } = opened;
  socket.disableRenegotiation();
  // Errors behind the handshake would be kept to itself by a socket that belongs to no server.
  socket.on('_tlsError', (error: Error) => socket.destroy(error));
  return opened;
}

export interface ConnectTlsOptions {
  readonly compiled: CompiledTls;
  readonly alpn: Buffer | undefined;
  /** '' sends none. */
  readonly sni: string;
  readonly highWaterMark: number;
}

/** Dials and begins the client's end of a handshake. Who the peer is is for the caller to judge, at 'secureConnect'. */
export function connectTls(address: Address, lent: LentBuffer, options: ConnectTlsOptions): OpenedTls {
  const { compiled, alpn, sni, highWaterMark } = options;
  let socket: tls.TLSSocket | undefined;
  const reader = LentSocket.make(lent, (onread) => {
    const all: tls.ConnectionOptions = {
      ...(address.kind === 'pipe' ? { path: address.path } : { host: address.host, port: address.port }),
      secureContext: compiled.secureContext,
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
      ...(sni === '' ? {} : { servername: sni }),
      ...(alpn === undefined ? {} : { ALPNProtocols: alpn }),
    };
    Object.assign(all, { onread, highWaterMark, noDelay: true, allowHalfOpen: true });
    socket = tls.connect(all);
    return socket;
  });
  if (socket === undefined) throw new Error('no socket was made');
  return { socket, lent: reader };
}

export function isTlsSocket(socket: net.Socket): socket is tls.TLSSocket {
  return socket instanceof tls.TLSSocket;
}

/** What the peer has shown, and what OpenSSL thinks of it. Only when the handshake is over. */
export function presentedBy(socket: tls.TLSSocket): PresentedCertificate {
  const certificate = socket.getPeerX509Certificate();
  return { certificate, chainFault: certificate === undefined ? undefined : chainFaultOf(socket) };
}

/** Closes with RST instead of FIN: Node knows it of plain sockets only, so their handle is told here. */
export function resetTls(socket: tls.TLSSocket): void {
  const transport = propertyOf(propertyOf(socket, '_handle'), '_parent');
  const reset = propertyOf(transport, 'reset');
  const close = propertyOf(transport, 'close');
  if (
    typeof transport === 'object' &&
    transport !== null &&
    typeof reset === 'function' &&
    typeof close === 'function'
  ) {
    Reflect.set(transport, 'close', (done: unknown): unknown => {
      const failure: unknown = Reflect.apply(reset, transport, [done]);
      // A handle that is shutting down cannot be reset any more.
      return failure === 0 ? undefined : Reflect.apply(close, transport, [done]);
    });
  }
  socket.destroy();
}

function open(
  accepted: ReleasedTransport,
  firstBytes: Buffer | undefined,
  lent: LentBuffer,
  shared: tls.TLSSocketOptions,
): OpenedTls {
  const handle = accepted.kind === 'handle' ? accepted.handle : handleOf(accepted.socket);
  if (accepted.kind === 'socket' && handle === undefined) return wrapped(accepted.socket, firstBytes, shared);
  if (handle === undefined) throw new Error('a transport without a handle');
  const opened = adopted(handle, lent, shared);
  if (accepted.kind === 'socket') spend(accepted.socket);
  if (firstBytes !== undefined) feed(opened.socket, firstBytes);
  return opened;
}

function adopted(handle: object, lent: LentBuffer, shared: object): OpenedTls {
  let socket: tls.TLSSocket | undefined;
  const reader = LentSocket.make(lent, (onread) => {
    const options = { ...shared, onread, [ACCEPTED_HANDLE]: handle };
    const made: unknown = Reflect.construct(tls.TLSSocket, [undefined, options], AdoptingTlsSocket);
    if (!(made instanceof tls.TLSSocket)) throw new Error('this Node makes TLS sockets in another way');
    // Nothing was dialled: Node thinks otherwise where no socket is given.
    Reflect.set(made, 'connecting', false);
    socket = made;
    return made;
  });
  if (socket === undefined) throw new Error('no socket was made');
  return { socket, lent: reader };
}

function wrapped(accepted: net.Socket, firstBytes: Buffer | undefined, shared: tls.TLSSocketOptions): OpenedTls {
  if (firstBytes !== undefined) accepted.unshift(firstBytes);
  return { socket: new tls.TLSSocket(accepted, shared), lent: undefined };
}

function feed(socket: tls.TLSSocket, bytes: Buffer): void {
  const handle = propertyOf(socket, '_handle');
  const receive = propertyOf(handle, 'receive');
  if (typeof receive !== 'function') throw new Error('this Node takes no bytes that were read before a handshake');
  Reflect.apply(receive, handle, [bytes]);
}

/** Asked of the handle, as `authorizationError` is set for clients only. Who cannot answer has not verified. */
function chainFaultOf(socket: tls.TLSSocket): string | undefined {
  const handle = propertyOf(socket, '_handle');
  const verifyError = propertyOf(handle, 'verifyError');
  if (typeof verifyError !== 'function') return 'this Node does not say whether it verified';
  const fault: unknown = Reflect.apply(verifyError, handle, []);
  if (fault === null || fault === undefined) return undefined;
  return fault instanceof Error ? fault.message : 'unknown';
}

function propertyOf(holder: unknown, name: string): unknown {
  return typeof holder === 'object' && holder !== null ? Reflect.get(holder, name) : undefined;
}
