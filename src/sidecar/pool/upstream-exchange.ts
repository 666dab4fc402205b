import type { RequestHead, ResponseHead } from '../../http/head.ts';
import type { HeaderEdits } from '../../http/header-edits.ts';
import type { HeaderFields } from '../../http/header-fields.ts';
import type { PoolOptions } from './pool-limits.ts';
import type { PoolFailure, UpstreamSink } from './upstream-sink.ts';

/** The line of a request as it goes out: what the route rewrote. */
export interface UpstreamRequestLine {
  readonly method: string;
  readonly path: string;
  readonly authority: string;
  readonly scheme: 'http' | 'https';
  /** Protocol of an upgrade, or ''. */
  readonly upgrade: string;
}

/** One exchange lent by a pool: an HTTP/1.1 connection for as long as it is lent, or one stream of an HTTP/2 connection. */
export interface UpstreamExchange {
  /** The connection carried requests before this one. */
  readonly isReused: boolean;
  /** Whether it lay idle before this exchange, so that its peer may have been closing it as we wrote. */
  readonly hasRested: boolean;
  /** Whether any byte of this exchange has been handed to the kernel. */
  readonly hasSent: boolean;
  readonly hasReceived: boolean;
  readonly isBackedUp: boolean;
  /**
   * Sends the head; a body follows with sendBody, and endRequest closes it. `prefix` goes out in front, as it is. Throws
   * NonCanonicalHeadError, with nothing sent, where an edit or a rewrite cannot be written.
   */
  startRequest(
    sink: UpstreamSink,
    head: RequestHead,
    edits: HeaderEdits,
    line: UpstreamRequestLine,
    prefix: string,
  ): void;
  sendBody(buffer: Buffer, start: number, end: number): void;
  /** As sendBody, for a body kept as latin1 text. */
  sendBodyText(text: string): void;
  endRequest(trailers: HeaderFields | undefined): void;
  /** In a tunnel: bytes as they are. */
  sendTunnelBytes(buffer: Buffer, start: number, end: number): void;
  /** In a tunnel: no more bytes after those that are queued. */
  finishTunnel(): void;
  pauseReading(): void;
  resumeReading(): void;
  /** Gives the exchange up: the upstream sees an aborted message, the sink hears nothing more. */
  abort(): void;
  /** Gives up the answer, and if possible not the connection. */
  discardResponse(head: ResponseHead): void;
}

/** Whoever asks for an exchange. Exactly one of the two is called, perhaps before acquire() returns. */
export interface ConnectionWaiter {
  onConnectionReady(exchange: UpstreamExchange): void;
  onPoolFailure(failure: PoolFailure, detail: string): void;
}

/** Connections of one worker to one host, whatever they speak. */
export interface UpstreamPool {
  options: PoolOptions;
  readonly connectionCount: number;
  /** `fresh` passes over connections that have lain idle. */
  acquire(waiter: ConnectionWaiter, fresh: boolean): void;
  /** The waiter no longer wants one. */
  cancel(waiter: ConnectionWaiter): void;
  /** The host has left: connections close after what is under way, waiters are told. */
  drain(): void;
  /** Ends everything now. */
  destroy(): void;
}
