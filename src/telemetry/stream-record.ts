/** Values of `StreamRecord.grpcStatus` beside gRPC's own. */
export const NOT_GRPC = -2;
export const NO_GRPC_STATUS = -1;

/**
 * What happened to one stream: filled in by the connection manager and the router while the request runs, read once at its
 * end by the access log, the metrics and the tracer. One object per stream, reset and reused; always the same shape.
 * Times are milliseconds of the monotonic clock (`performance.now()` scale, fractions kept), 0 where it did not happen.
 */
export class StreamRecord {
  direction: 'inbound' | 'outbound' = 'inbound';
  workerId = 0;
  listenerName = '';

  receivedAtMs = 0;
  /** When the current attempt began; receivedAtMs for the first. Kept by `TraceStarter`. */
  attemptStartedAtMs = 0;
  /** Last byte of the request received. */
  requestEndAtMs = 0;
  /** Host picked; connection asked for. */
  pickedAtMs = 0;
  /** A connection was lent (equal to pickedAtMs + time in the pending queue and connecting). */
  connectionReadyAtMs = 0;
  firstUpstreamByteAtMs = 0;
  endedAtMs = 0;
  /** Time spent waiting for a connection in the pool's pending queue, all attempts together. */
  queueMs = 0;

  protocol: 10 | 11 | 20 = 11;
  method = '';
  scheme: 'http' | 'https' = 'http';
  authority = '';
  path = '';
  userAgent = '';
  requestId = '';
  downstreamAddress = '';
  downstreamPort = 0;
  /** What TLS settled with the downstream, '' where it is plaintext: `TLSv1.3`, the name it asked for, its first URI name. */
  tlsVersion = '';
  requestedServerName = '';
  peerUri = '';
  /** The listener's own address and port as bound. */
  localAddress = '';
  localPort = 0;

  routeName = '';
  clusterName = '';
  hostAddress = '';
  hostPort = 0;
  /** Which try this tells of, 1 for the first: the one that answered, or was the last. */
  attempt = 0;
  /** Tries so far, whichever of them answered. */
  attempts = 0;
  connectionReused = false;
  /** Streams this listener had open, this one included, when this one arrived. */
  inFlightAtArrival = 0;
  /** Requests the picked host had in flight from this sidecar (all workers) when it was picked. */
  hostInFlightAtPick = 0;

  status = 0;
  /** Of a gRPC call: its status, NO_GRPC_STATUS where none has come; NOT_GRPC for any other request. */
  grpcStatus = NOT_GRPC;
  requestBodyBytes = 0;
  responseBodyBytes = 0;
  /** Envoy's response flags, e.g. `UF`, `NR`, `UT`, comma-separated; '' where nothing odd happened. */
  responseFlags = '';
  /** Envoy's response_code_details: `via_upstream`, `route_not_found`, `upstream_reset_before_response_started{connection_refused}` … */
  responseCodeDetails = '';

  /** W3C trace context of this hop. traceId 32 and spanId 16 lower-case hex digits; parentSpanId '' for a root. */
  traceId = '';
  spanId = '';
  parentSpanId = '';
  traceState = '';
  sampled = false;
}
