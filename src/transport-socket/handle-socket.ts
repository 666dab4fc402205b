import net from 'node:net';
import { getSystemErrorName } from 'node:util';
import type { Address } from '../resource/address.ts';
import {
  type HandleBinding,
  handleBinding,
  type SocketName,
  type TcpHandle,
  type WriteRequest,
} from './handle-binding.ts';
import type { LentBuffer } from './lent-buffer.ts';
import { spend } from './lent-reads.ts';
import type { ReleasedTransport, StreamSocket, StreamSocketUser } from './stream-socket.ts';

const OWNER = Symbol('owner');
/** shutdown() answers this where no call will follow. */
const DONE_AT_ONCE = 1;

interface OwnedHandle extends TcpHandle {
  [OWNER]?: HandleSocket;
}

/** One for all handles: Node calls it with the handle as `this`. */
function takeRead(this: OwnedHandle): Uint8Array | undefined {
  return this[OWNER]?.takeRead();
}

/** ```text
 *  connecting ──→ open ──→ closed
 *       └─────────────────────↑
 * ``` */
type State = 'connecting' | 'open' | 'closed';

/**
 * A StreamSocket straight on libuv's TCP handle, without net.Socket between: no Readable and Writable per connection, no
 * tick and no completion callback per write, no timers to refresh per read. Bytes written while the kernel takes no more
 * wait in libuv, in order.
 */
export class HandleSocket implements StreamSocket {
  readonly takesAtOnce = true;
  readonly #handle: OwnedHandle;
  readonly #binding: HandleBinding;
  #user: StreamSocketUser;
  readonly #lent: LentBuffer;
  /** Where the next read goes; held for as long as the handle knows only its address. */
  #readsInto: Buffer;
  #state: State;
  /** Writes that the kernel has not taken whole. */
  #pendingWrites = 0;
  #isReading = false;
  #wantsToRead: boolean;
  #peerFinished = false;
  #isFinishing = false;
  #isFinished = false;
  #peer: SocketName | undefined = undefined;
  #own: SocketName | undefined = undefined;

  private constructor(
    binding: HandleBinding,
    handle: TcpHandle,
    lent: LentBuffer,
    user: StreamSocketUser,
    state: 'connecting' | 'open',
  ) {
    this.#binding = binding;
    this.#handle = handle;
    this.#lent = lent;
    this.#user = user;
    this.#state = state;
    this.#wantsToRead = state === 'connecting';
    this.#readsInto = lent.wanted;
    this.#handle[OWNER] = this;
    handle.onread = takeRead;
    handle.useUserBuffer(this.#readsInto);
  }

  /**
   * Takes the handle of a socket from a server with `pauseOnConnect`, so that nothing has been read; the socket is spent.
   * Reading starts with resume(). Undefined where the handle is none that we know how to drive.
   */
  static accept(accepted: net.Socket, lent: LentBuffer, user: StreamSocketUser): HandleSocket | undefined {
    const handle: unknown = Reflect.get(accepted, '_handle');
    if (handleBinding === undefined || !(handle instanceof handleBinding.Tcp)) return undefined;
    spend(accepted);
    forgetNodesOwner(handle);
    return new HandleSocket(handleBinding, handle, lent, user, 'open');
  }

  /** Dials; reading starts when the connection is there. Undefined for addresses that need more than a connect. */
  static connect(address: Address, lent: LentBuffer, user: StreamSocketUser): HandleSocket | undefined {
    if (handleBinding === undefined || address.kind !== 'ip') return undefined;
    const family = net.isIP(address.host);
    if (family === 0) return undefined;
    const handle = new handleBinding.Tcp(handleBinding.socketType);
    const socket = new HandleSocket(handleBinding, handle, lent, user, 'connecting');
    socket.#dial(address.host, address.port, family);
    return socket;
  }

  set user(user: StreamSocketUser) {
    this.#user = user;
  }

  get unsentBytes(): number {
    return this.#pendingWrites === 0 ? 0 : this.#handle.writeQueueSize;
  }

  get remoteAddress(): string {
    return this.#peerName().address ?? '';
  }

  get remotePort(): number {
    return this.#peerName().port ?? 0;
  }

  get localAddress(): string {
    return this.#ownName().address ?? '';
  }

  get localPort(): number {
    return this.#ownName().port ?? 0;
  }

  writeText(text: string): void {
    if (this.#state !== 'open') return;
    const result = this.#handle.writeLatin1String(null, text);
    if (result !== 0) this.#afterWrite(result, null);
  }

  writeBytes(bytes: Buffer): void {
    if (this.#state !== 'open') return;
    const result = this.#handle.writeBuffer(null, bytes);
    if (result !== 0) this.#afterWrite(result, bytes);
  }

  pause(): void {
    this.#wantsToRead = false;
    if (!this.#isReading || this.#state !== 'open') return;
    this.#isReading = false;
    this.#check(this.#handle.readStop());
  }

  resume(): void {
    this.#wantsToRead = true;
    // After the peer's FIN it would only be told again.
    if (this.#isReading || this.#peerFinished || this.#state !== 'open') return;
    this.#isReading = true;
    this.#check(this.#handle.readStart());
  }

  finish(): void {
    if (this.#state !== 'open' || this.#isFinishing) return;
    this.#isFinishing = true;
    const request = new this.#binding.ShutdownRequest();
    request.oncomplete = () => this.#onFinished();
    const result = this.#handle.shutdown(request);
    if (result === DONE_AT_ONCE || result === this.#binding.notConnected) this.#onFinished();
    else this.#check(result);
  }

  destroy(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#handle.close(() => this.#onClosed());
  }

  reset(): void {
    if (this.#state !== 'open') {
      this.destroy();
      return;
    }
    this.#state = 'closed';
    // libuv refuses RST behind a shutdown that is under way.
    if (this.#handle.reset(() => this.#onClosed()) !== 0) this.#handle.close(() => this.#onClosed());
  }

  release(): ReleasedTransport {
    this.pause();
    this.#state = 'closed';
    delete this.#handle[OWNER];
    return { kind: 'handle', handle: this.#handle };
  }

  /** The handle calls it when a read has come; answers the next buffer if it is another. */
  takeRead(): Uint8Array | undefined {
    const { state, readBytesAt, endOfFile } = this.#binding;
    const length = state[readBytesAt] ?? 0;
    if (this.#state !== 'open' || length === 0) return undefined;
    if (length < 0) {
      if (length === endOfFile) this.#onPeerFinished();
      else this.#fail(length);
      return undefined;
    }
    this.#user.onSocketBytes(this.#readsInto, length);
    const { wanted } = this.#lent;
    if (wanted === this.#readsInto) return undefined;
    this.#readsInto = wanted;
    return wanted;
  }

  #dial(host: string, port: number, family: number): void {
    const request = new this.#binding.ConnectRequest();
    request.oncomplete = (status) => this.#onDialled(status);
    const handle = this.#handle;
    const result = family === 6 ? handle.connect6(request, host, port) : handle.connect(request, host, port);
    // Whoever dials does not know the socket yet, and hears of it later.
    if (result !== 0) setImmediate(() => this.#onDialled(result));
  }

  #onDialled(status: number): void {
    if (this.#state !== 'connecting') return;
    if (status !== 0) {
      this.#fail(status);
      return;
    }
    this.#state = 'open';
    this.#handle.setNoDelay(true);
    if (this.#wantsToRead) this.resume();
    this.#user.onSocketConnected();
  }

  #afterWrite(result: number | WriteRequest, bytes: Uint8Array | null): void {
    if (typeof result === 'number') {
      this.#fail(result);
      return;
    }
    this.#pendingWrites++;
    result.buffer = bytes;
    result.oncomplete = (status) => this.#onWritten(status);
    if (result.writeStatus !== null) this.#onWritten(result.writeStatus);
  }

  #onWritten(status: number): void {
    this.#pendingWrites--;
    if (this.#state !== 'open') return;
    if (status !== 0) this.#fail(status);
    else if (this.#pendingWrites === 0) this.#user.onSocketDrained();
  }

  #onPeerFinished(): void {
    this.#peerFinished = true;
    this.#isReading = false;
    this.#user.onSocketEnd();
    if (this.#isFinished) this.destroy();
  }

  /** However it went: a peer that is gone makes the next read say so. */
  #onFinished(): void {
    if (this.#state !== 'open') return;
    this.#isFinished = true;
    if (this.#peerFinished) this.destroy();
  }

  #check(result: number): void {
    if (result !== 0) this.#fail(result);
  }

  #fail(systemError: number): void {
    if (this.#state === 'closed') return;
    this.#user.onSocketFailed(getSystemErrorName(systemError));
    this.destroy();
  }

  #onClosed(): void {
    delete this.#handle[OWNER];
    this.#user.onSocketClosed();
  }

  #peerName(): SocketName {
    if (this.#peer !== undefined) return this.#peer;
    const name: SocketName = {};
    if (this.#state !== 'open' || this.#handle.getpeername(name) !== 0) return name;
    this.#peer = name;
    return name;
  }

  #ownName(): SocketName {
    if (this.#own !== undefined) return this.#own;
    const name: SocketName = {};
    if (this.#state !== 'open' || this.#handle.getsockname(name) !== 0) return name;
    this.#own = name;
    return name;
  }
}

let nodesOwner: symbol | undefined;

/** The handle's own reference to the socket that is spent would keep it, with its two streams, for as long as the connection. */
function forgetNodesOwner(handle: TcpHandle): void {
  nodesOwner ??= Object.getOwnPropertySymbols(handle).find((symbol) => symbol.description === 'owner_symbol');
  if (nodesOwner !== undefined) Reflect.set(handle, nodesOwner, undefined);
}
