import type { RequestHead, ResponseHead } from '../../http/head.ts';
import type { HeaderEdits } from '../../http/header-edits.ts';
import type { RouteFilterConfig } from '../../resource/filter-config.ts';
import type { StreamRecord } from '../../telemetry/stream-record.ts';
import type { CompiledRoute } from '../route/route.ts';
import type { BodyEnding, BodyPiece } from './body-piece.ts';
import type { DownstreamPeer } from './downstream-peer.ts';
import type { LocalReply } from './local-replies.ts';
import type { StreamMetadata } from './stream-metadata.ts';

/** A host by its address and port. */
export interface HostOverride {
  readonly address: string;
  /** Where it cannot take the request nobody else may. */
  readonly isStrict: boolean;
}

/** The stream as a filter sees it. */
export interface FilterStream {
  /** As routes and the upstream see it. A filter that changes the body's length or the method puts another in its place. */
  head: RequestHead;
  /** From onResponseHead on: the head that will be written. A filter may put another in its place there. */
  responseHead: ResponseHead | undefined;
  /** The route that matched; undefined where none did (the router will answer 404). */
  readonly route: CompiledRoute | undefined;
  readonly requestEdits: HeaderEdits;
  readonly responseEdits: HeaderEdits;
  readonly record: StreamRecord;
  readonly peer: DownstreamPeer;
  /** The client's address by the trusted part of X-Forwarded-For; `peer.address` where nothing there is trusted. */
  readonly clientAddress: string;
  readonly isRequestComplete: boolean;
  /** The caller waits for a gRPC status: answers of ours then carry one. A filter that translates for it may say so. */
  isGrpcCall: boolean;
  /** The host that is to serve the request, whatever the balancer thinks; set in onRequestHead. */
  overrideHost: HostOverride | undefined;
  /** What filters have said about this request to those behind them; undefined until one does. */
  metadata: StreamMetadata | undefined;
  /** The answer under way is one that we made. */
  readonly isLocalReply: boolean;
  /** Answers in the upstream's stead. A filter that does so in a request hook returns 'stop'. */
  sendLocalReply(reply: LocalReply, detail: string): void;
  /** Ends a gRPC call whatever of its answer has gone: what follows is the status, and the upstream is let go. */
  endCall(reply: LocalReply): void;
  /** Goes on after the filter that stopped. Harmless once the stream has ended. */
  continueRequest(): void;
  continueResponse(): void;
  /**
   * For a filter that stops the request to see its body: so many bytes may wait (beyond them reading stops), and a client
   * that waits for permission to send (RFC 9110 §10.1.1) gets it.
   */
  holdRequestUpTo(bytes: number): void;
  /** The same for the response; more than that is answered with 500. */
  holdResponseUpTo(bytes: number): void;
}

/** 'stop': the filter has answered, or will call continueRequest() (continueResponse()) later. */
export type FilterVerdict = 'continue' | 'stop';

/**
 * A filter with its configuration compiled: one object per chain, shared by all streams. What it must remember of one
 * stream it keeps under that stream as a key and drops in onStreamEnd. A method that is absent costs nothing.
 */
export interface CompiledFilter {
  readonly name: string;
  onRequestHead?(stream: FilterStream): FilterVerdict;
  /** Bytes in order, after the head. While the filter itself holds the request they wait behind it. */
  onRequestBody?(stream: FilterStream, piece: BodyPiece): void;
  onRequestEnd?(stream: FilterStream, ending: BodyEnding): void;
  /**
   * In reverse order of the chain; local replies pass here too, with the head they will have, and cannot be stopped. May
   * come a second time for a local reply that takes the place of a response which a filter held.
   */
  onResponseHead?(stream: FilterStream, head: ResponseHead): FilterVerdict | undefined;
  onResponseBody?(stream: FilterStream, piece: BodyPiece): void;
  onResponseEnd?(stream: FilterStream, ending: BodyEnding): void;
  /** Exactly once per stream, however it ended. */
  onStreamEnd?(stream: FilterStream): void;
  /** What stands in this filter's place on a route with configuration of its own; the most specific level comes first. */
  forRoute?(configs: readonly RouteFilterConfig[], routeName: string): CompiledFilter;
}
