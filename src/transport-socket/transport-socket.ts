/**
 * Sockets as the data path wants them: bytes lent in one shared buffer, one write per socket and turn, back-pressure as
 * two calls, the coarse deadlines that guard whoever holds a socket, and TLS with the checks on who is at the other end.
 * Knows net.Socket, node:tls and time. Does not know HTTP, routes, clusters or what the bytes mean.
 */
export { ByteStream } from './byte-stream.ts';
export { type ByteStreamUser, UNCLAIMED } from './byte-stream-user.ts';
export { type ClientHello, type ClientHelloInspection, inspectClientHello } from './client-hello.ts';
export { Deadline, type DeadlineOwner, Deadlines } from './deadlines.ts';
export type { ConnectOptions, DialTarget } from './dial-target.ts';
export { EventTurn, MAX_WINDOW_GROWTH_BYTES } from './event-turn.ts';
export { latin1Text, utf8AsLatin1 } from './latin1.ts';
export { type OriginalDestination, originalDestinationOf, originalDestinationProblem } from './original-destination.ts';
export { type PeerCertificate, PLAINTEXT, type TransportFacts } from './peer-certificate.ts';
export { inspectProxyHeader, type ProxiedAddresses, type ProxyHeaderInspection } from './proxy-protocol.ts';
export { type ProxyProtocolVersion, proxyHeaderText } from './proxy-protocol-writer.ts';
export { endsOf } from './stream-ends.ts';
export { type CertificateExtensions, readCertificateExtensions } from './tls/certificate-extensions.ts';
export type { TlsFailure } from './tls/peer-verification.ts';
export { certificatesIn } from './tls/secure-context.ts';
export type { DialledTls, StreamTls } from './tls/stream-handshake.ts';
export { alpnBytes, type CompiledTls, TlsContext, tlsContextFaults } from './tls/tls-context.ts';
export { TlsCounters } from './tls/tls-counters.ts';
export { type ResolvedTls, TlsMaterials } from './tls/tls-materials.ts';
export { verifiedConnection } from './tls/verified-connection.ts';
