import type { CallStatus } from './grpc-status.ts';

/** One call, of whatever kind, as its handler sees it: messages are bytes. */
export interface ServerCall {
  /** Address and port. */
  readonly peer: string;
  /** URI names of the certificate that the client has proved to own. */
  readonly certifiedUris: readonly string[];
  /**
   * Sends a message, which must stay as it is. False when the client reads too slowly: `onWritable` tells when it has caught
   * up, and what is sent before waits in memory.
   */
  send(message: Buffer): boolean;
  /** Ends the call, behind what was sent. `onClosed` comes before this returns. */
  end(status: CallStatus): void;
  /** No message comes before `resume`; the client's window closes behind it. */
  pause(): void;
  resume(): void;
}

/** Whoever answers a call. */
export interface CallHandler {
  /** Lent until the call returns. */
  onMessage(bytes: Buffer): void;
  /** All that was sent has left, after `send` had said that there is too much. */
  onWritable(): void;
  /** The client will send no more messages. */
  onHalfClose(): void;
  /** Once and last, whoever ended the call. */
  onClosed(): void;
}

/** Takes a call. It may end it there and then: its handler hears nothing then. */
export type StartCall = (call: ServerCall) => CallHandler;

/** For a call that was ended as it began. */
export const NO_HANDLER: CallHandler = {
  onMessage: () => undefined,
  onWritable: () => undefined,
  onHalfClose: () => undefined,
  onClosed: () => undefined,
};
