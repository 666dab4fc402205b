import {
  type Metadata,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
} from '@grpc/grpc-js';

type Listener = Parameters<ServerInterceptingCallInterface['start']>[0];

/** Messages given to a stream and not yet taken by its connection, beyond which nothing more is sent: as many as a Node stream of objects. */
const MAX_OUTSTANDING = 16;

/** What a direct call tells whoever has taken it over. */
export interface DirectCallEvents {
  onMessage(bytes: Buffer): void;
  /** All that was sent has been taken, after `send` had said that there is too much. */
  onWritable(): void;
}

/**
 * A call whose messages go past the Node stream that the library puts around every call: with a thousand subscribers that stream is a
 * sizeable part of what a push and its answer cost. Its beginning, end, status and cancellation stay with the stream.
 */
export class DirectCall extends ServerInterceptingCall {
  readonly #call: ServerInterceptingCallInterface;
  readonly #calls: WeakMap<Metadata, DirectCall>;
  #events: DirectCallEvents | undefined;
  #outstanding = 0;
  #isFull = false;
  #isPaused = false;
  #isReading = false;
  #wantsRead = false;

  constructor(call: ServerInterceptingCallInterface, calls: WeakMap<Metadata, DirectCall>) {
    super(call);
    this.#call = call;
    this.#calls = calls;
  }

  override start(listener: Listener): void {
    this.#call.start({
      onReceiveMetadata: (metadata) => {
        this.#calls.set(metadata, this);
        listener.onReceiveMetadata(metadata);
      },
      onReceiveMessage: (message: unknown) => {
        if (this.#events === undefined || !Buffer.isBuffer(message)) {
          listener.onReceiveMessage(message);
          return;
        }
        this.#events.onMessage(message);
        this.startRead();
      },
      onReceiveHalfClose: () => listener.onReceiveHalfClose(),
      onCancel: () => listener.onCancel(),
    });
  }

  /** Messages that wait are given one by one from within the library's own call: a loop here, so that many of them are no deep stack. */
  override startRead(): void {
    this.#wantsRead = true;
    if (this.#isReading) return;
    this.#isReading = true;
    while (this.#wantsRead && !this.#isPaused) {
      this.#wantsRead = false;
      this.#call.startRead();
    }
    this.#isReading = false;
  }

  override sendMessage(message: unknown, callback: () => void): void {
    this.#call.sendMessage(message, callback);
  }

  /** From now on messages come here, and none to the stream. */
  takeOver(events: DirectCallEvents): void {
    this.#events = events;
  }

  /** False when the peer reads too slowly: `onWritable` tells when it has caught up. */
  send(message: Buffer): boolean {
    this.#outstanding += 1;
    if (this.#outstanding >= MAX_OUTSTANDING) this.#isFull = true;
    this.#call.sendMessage(message, this.#onSent);
    return !this.#isFull;
  }

  /** Nothing more is read but what is being given already. */
  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    if (this.#wantsRead) this.startRead();
  }

  readonly #onSent = (): void => {
    this.#outstanding -= 1;
    if (this.#outstanding > 0 || !this.#isFull) return;
    this.#isFull = false;
    this.#events?.onWritable();
  };
}

/** Makes the calls of the given methods direct, and finds them again by the metadata that their handlers see. */
export class DirectCalls {
  readonly #calls = new WeakMap<Metadata, DirectCall>();
  readonly #paths: ReadonlySet<string>;

  constructor(paths: Iterable<string>) {
    this.#paths = new Set(paths);
  }

  readonly interceptor: ServerInterceptor = (method, call) =>
    this.#paths.has(method.path) ? new DirectCall(call, this.#calls) : new ServerInterceptingCall(call);

  /** Throws where the library has given the handler other metadata than the call began with. */
  of(metadata: Metadata): DirectCall {
    const call = this.#calls.get(metadata);
    if (call === undefined)
      throw new Error('xDS server: a stream whose call was not intercepted; is the interceptor set?');
    return call;
  }
}
