/**
 * The HTTP connection manager: one downstream connection, its streams (HTTP/1: one after the other), timeouts, header policies, the
 * filter chain, local replies, and one record per stream. Knows the codec of its side and the router. Does not know which
 * socket was bound where, how configuration arrives, or anything about hosts.
 */
export { AccessLogs } from './access-logs.ts';
export { ChainSlot, HttpChain, type ListenerPlace, type ManagerContext } from './http-chain.ts';
export { Http1Connection } from './http1-connection.ts';
export { Http2Connection } from './http2-connection.ts';
export type { ConnectionOwner, ManagedConnection } from './managed-connection.ts';
export { peerOf } from './stream-start.ts';
