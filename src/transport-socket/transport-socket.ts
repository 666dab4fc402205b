/**
 * Sockets as the data path wants them: bytes lent in one shared buffer, one write per socket and turn, back-pressure as
 * two calls, and the coarse deadlines that guard whoever holds a socket. Knows net.Socket and time. Does not know HTTP,
 * routes, clusters or what the bytes mean.
 */
export { ByteStream, type ByteStreamUser, type ConnectOptions, endsOf } from './byte-stream.ts';
export { type ClientHello, type ClientHelloInspection, inspectClientHello } from './client-hello.ts';
export { Deadline, type DeadlineOwner, Deadlines } from './deadlines.ts';
export { EventTurn } from './event-turn.ts';
export { latin1Text, utf8AsLatin1 } from './latin1.ts';
export { type PeerCertificate, PLAINTEXT, type TransportFacts } from './peer-certificate.ts';
export { inspectProxyHeader, type ProxiedAddresses, type ProxyHeaderInspection } from './proxy-protocol.ts';
export { type ProxyProtocolVersion, proxyHeaderText } from './proxy-protocol-writer.ts';
