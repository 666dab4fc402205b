import type { RequestHead, ResponseHead } from '../../../http/head.ts';
import type { HeaderEdits } from '../../../http/header-edits.ts';
import type { HeaderFields } from '../../../http/header-fields.ts';
import type { StreamRecord } from '../../../telemetry/stream-record.ts';
import type { TraceStarter } from '../../../telemetry/trace/trace.ts';
import type { ProxiedAddresses } from '../../../transport-socket/transport-socket.ts';
import type { CompiledRoute } from '../../route/route.ts';
import type { DownstreamPeer, HostOverride, LocalReply } from '../filter.ts';
import type { StreamMetadata } from '../stream-metadata.ts';

/** The stream as the router sees it: a request that comes in, and the places where the answer goes. */
export interface RoutedStream {
  readonly head: RequestHead;
  /** Changes to the request's head on its way out. */
  readonly requestEdits: HeaderEdits;
  readonly record: StreamRecord;
  readonly route: CompiledRoute | undefined;
  readonly peer: DownstreamPeer;
  /** What filters have said about the request. */
  readonly metadata: StreamMetadata | undefined;
  /** Set where a filter has chosen the host. */
  readonly overrideHost: HostOverride | undefined;
  /** Everything of the request has been handed to the router. */
  readonly isRequestPassed: boolean;
  readonly downstreamAddress: string;
  /** Both ends of the connection it came on. */
  readonly downstreamEnds: ProxiedAddresses;
  /** undefined: this stream is not traced. */
  readonly traces: TraceStarter | undefined;
  sendInformational(head: ResponseHead): void;
  sendResponseHead(head: ResponseHead): void;
  sendResponseBody(buffer: Buffer, start: number, end: number): void;
  sendResponseTrailers(fields: HeaderFields): void;
  sendResponseEnd(): void;
  /** Only before sendResponseHead. */
  /** The downstream takes no more of the answer for now, although there may be none yet. */
  readonly isResponsePaused: boolean;
  sendLocalReply(reply: LocalReply, detail: string): void;
  /** After sendResponseHead: the answer cannot be completed, and the downstream must see that. */
  abortResponse(flags: string, details: string): void;
  /** Back-pressure: no more request body until releaseRequestBody. */
  holdRequestBody(): void;
  releaseRequestBody(): void;
  /** In a tunnel: the upstream will send no more. */
  finishTunnel(): void;
}
