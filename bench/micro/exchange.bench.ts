/**
 * Cost of one proxied HTTP/1.1 exchange in user land: everything that runs between two reads and two writes, with every
 * default feature on and the sockets taken away. `node bench/micro/exchange.bench.ts [--json]`.
 */
import { Http1Connection } from '../../src/sidecar/connection-manager/connection-manager.ts';
import { measure, report } from './measure.ts';
import { MemoryProxy } from './memory-proxy.ts';

const CONNECTIONS = 64;
const EXCHANGES_PER_ROUND = 20_000;

const REQUEST = Buffer.from(
  'GET /api/items?page=2 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nuser-agent: wrk\r\naccept: */*\r\nx-tenant: green\r\n\r\n',
);
const RESPONSE = Buffer.from(
  `HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sun, 22 Nov 2026 21:00:00 GMT\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\nConnection: keep-alive\r\n\r\n${'x'.repeat(1024)}`,
);

const proxy = new MemoryProxy({});
const { context, slot, turn } = proxy;
const owner = { connectionEnded: () => undefined, connectionReplaced: () => undefined };
const downstream = Array.from({ length: CONNECTIONS }, () =>
  proxy.accept((stream) => new Http1Connection(context, slot, stream, owner)),
);
// The first round dials; every later one finds its connections in the pool.
for (const socket of downstream) proxy.handIn(socket, REQUEST);
const upstream = await proxy.dialled();

function exchangeAll(): void {
  for (const socket of upstream) if (socket.hasOutput) proxy.handIn(socket, RESPONSE);
  turn.flush();
  for (const socket of downstream) if (socket.hasOutput) proxy.handIn(socket, REQUEST);
  turn.flush();
}

exchangeAll();
if (upstream.length !== CONNECTIONS || downstream.some((socket) => socket.hasOutput)) {
  throw new Error(`the exchange does not run: ${upstream.length} upstream connections`);
}
const rounds = Math.ceil(EXCHANGES_PER_ROUND / CONNECTIONS);
const cost = measure(() => {
  for (let round = 0; round < rounds; round++) exchangeAll();
}, rounds * CONNECTIONS);
report('exchange', [{ name: 'one proxied exchange without its system calls', ...cost }]);
turn.stop();
