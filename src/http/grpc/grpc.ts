/**
 * gRPC over HTTP as a proxy sees it: which requests are calls, their deadline, their status and the messages in their
 * bodies. Knows bytes and fields. Does not know protobuf, services or sockets.
 */
export { isGrpc, isGrpcContentType } from './grpc-content.ts';
export { encodeGrpcMessage } from './grpc-message.ts';
export { grpcTimeoutMs, parseGrpcTimeout } from './grpc-timeout.ts';
export { GrpcMessageCounter } from './message-counter.ts';
