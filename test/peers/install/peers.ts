/**
 * The programs that others wrote and that we are tested against. One pin each: raising a version here (and in the
 * peer's recipe inputs under `test/peers/go` or `envoy-requirements.txt`) is all it takes to move to it.
 */
export const PEERS = {
  envoy: { version: '1.40.0' },
  h2spec: { version: '2.2.1' },
  consul: { version: '1.22.3' },
  // The Go module v1.76.0 is the commit that was also tagged v2.13.0: its `cmd/jaeger` is Jaeger v2. Go does not
  // accept the v2 tags, because the module path has no `/v2`.
  jaeger: { version: '2.13.0' },
  // The C core of gRPC, as Python's package carries it: `bin/grpcio` is a Python that finds it.
  grpcio: { version: '1.85.1' },
  // A library; `bin/go-control-plane` is a small management server of ours made of it (test/peers/go/go-control-plane).
  // The suffix moves when that program changes.
  'go-control-plane': { version: '0.14.0-1' },
  // grpc-go's own benchmark programs: load and origin of `npm run bench -- grpc`.
  'grpc-go-client': { version: '1.81.0' },
  'grpc-go-server': { version: '1.81.0' },
} as const;

export type PeerName = keyof typeof PEERS;

export const PEER_NAMES: readonly PeerName[] = [
  'envoy',
  'h2spec',
  'consul',
  'jaeger',
  'grpcio',
  'go-control-plane',
  'grpc-go-client',
  'grpc-go-server',
];

export function isPeerName(text: string): text is PeerName {
  return Object.hasOwn(PEERS, text);
}
