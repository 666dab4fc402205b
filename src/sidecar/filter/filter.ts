/**
 * HTTP filters: the interface, the table of factories by type URL, and chains compiled when configuration arrives. Knows
 * heads, edits and the catalogue of local replies. Does not know sockets, codecs or how a stream is driven; the last filter
 * of every chain, the router, is a room of its own.
 */
export { BodyFlow, type BodySink, OPEN } from './body-flow.ts';
export type { BodyEnding, BodyPiece } from './body-piece.ts';
export type { DownstreamPeer } from './downstream-peer.ts';
export { compileFilterChain, FilterChain } from './filter-chain.ts';
export type { FilterContext, FilterFactory } from './filter-context.ts';
export { FILTER_FACTORIES, ROUTER_FILTER_TYPE } from './filter-factories.ts';
export type { CompiledFilter, FilterStream, FilterVerdict, HostOverride } from './filter-stream.ts';
export { grpcMessageLimits } from './grpc-message-limits.ts';
export {
  clusterNotFound,
  codecRefusal,
  LOCAL_REPLIES,
  type LocalReply,
  NOT_PROCESSED_HEADER,
  plainReply,
} from './local-replies.ts';
export type { NetworkConnection } from './network/network-filter.ts';
export { Admission, compileNetworkFilters, type NetworkFilterChain } from './network/network-filter-chain.ts';
export type { UpstreamCall, UpstreamCallOutcome, UpstreamCallRequest, UpstreamCalls } from './upstream-calls.ts';
