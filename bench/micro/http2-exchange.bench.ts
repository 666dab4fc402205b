/**
 * Cost of one proxied HTTP/2 exchange in user land, 16 streams on each of 8 connections and one connection behind them,
 * with every default feature on and the sockets taken away. `node bench/micro/http2-exchange.bench.ts [--json]`.
 */
import { CLIENT_PREFACE } from '../../src/http/http2/http2.ts';
import { UNSAID_HTTP2_OPTIONS } from '../../src/resource/http2-options.ts';
import { Http2Connection } from '../../src/sidecar/connection-manager/connection-manager.ts';
import { type Fields, Http2Peer } from './http2-peer.ts';
import { measure, report } from './measure.ts';
import { MemoryProxy, type MemorySocket } from './memory-proxy.ts';

const CONNECTIONS = 8;
const STREAMS = 16;
const EXCHANGES_PER_ROUND = 20_000;
const ANSWERS_PER_READ = 32;
const NO_BODY = Buffer.alloc(0);
const BODY = Buffer.alloc(1_024, 'x');

const REQUEST: Fields = [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':path', '/api/items?page=2'],
  [':authority', '127.0.0.1:8080'],
  ['user-agent', 'h2load nghttp2/1.52.0'],
  ['accept', '*/*'],
  ['x-tenant', 'green'],
];
const RESPONSE: Fields = [
  [':status', '200'],
  ['server', 'nghttpd nghttp2/1.52.0'],
  ['cache-control', 'max-age=3600'],
  ['date', 'Sun, 22 Nov 2026 21:00:00 GMT'],
  ['content-length', '1024'],
  ['last-modified', 'Sun, 22 Nov 2026 20:00:00 GMT'],
  ['content-type', 'text/plain'],
];

const proxy = new MemoryProxy({ upstreamProtocol: { kind: 'explicitHttp2', http2: UNSAID_HTTP2_OPTIONS } });
const { context, slot, turn } = proxy;
const owner = { connectionEnded: () => undefined, connectionReplaced: () => undefined };
const clients = Array.from({ length: CONNECTIONS }, () => {
  const peer = new Http2Peer(REQUEST, NO_BODY);
  const socket = proxy.accept((stream) => Http2Connection.accept(context, slot, stream, owner));
  proxy.handIn(socket, Http2Peer.hello(CLIENT_PREFACE));
  proxy.handIn(socket, peer.first());
  return { socket, peer };
});
const host = soleOf(await proxy.dialled());
const server = new Http2Peer(RESPONSE, BODY);
proxy.handIn(host, Http2Peer.hello(NO_BODY));
turn.flush();
proxy.handIn(host, server.first());
proxy.handIn(host, server.next(CONNECTIONS - 1));
turn.flush();

function soleOf([socket, ...others]: readonly MemorySocket[]): MemorySocket {
  if (socket === undefined || others.length > 0)
    throw new Error('the exchange does not run: not one connection to the host');
  return socket;
}

function exchangeAll(): void {
  for (const { socket, peer } of clients) proxy.handIn(socket, peer.next(STREAMS));
  turn.flush();
  for (let read = 0; read < (CONNECTIONS * STREAMS) / ANSWERS_PER_READ; read++) {
    proxy.handIn(host, server.next(ANSWERS_PER_READ));
  }
  turn.flush();
}

exchangeAll();
if (clients.some(({ socket }) => !socket.hasOutput))
  throw new Error('the exchange does not run: a client is not answered');
const rounds = Math.ceil(EXCHANGES_PER_ROUND / (CONNECTIONS * STREAMS));
const cost = measure(
  () => {
    for (let round = 0; round < rounds; round++) exchangeAll();
  },
  rounds * CONNECTIONS * STREAMS,
);
report('http2-exchange', [{ name: 'one proxied HTTP/2 exchange without its system calls', ...cost }]);
turn.stop();
