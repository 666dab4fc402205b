import { once } from 'node:events';
import http from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { routeConfiguration, virtualHost } from '../../../test/support/resources.ts';
import { DataPath, RawPeer, RawUpstream } from './data-path-fixture.ts';

let path: DataPath;
let upstream: RawUpstream;
const peers: RawPeer[] = [];

async function connect(port: number): Promise<RawPeer> {
  const peer = await RawPeer.connect(port);
  peers.push(peer);
  return peer;
}

beforeEach(async () => {
  path = new DataPath();
  upstream = await RawUpstream.listen();
  path.addCluster('web', [upstream.port]);
});

afterEach(() => {
  for (const peer of peers.splice(0)) peer.destroy();
  upstream.close();
  path.close();
});

describe('one request', () => {
  it('goes to a node:http server and comes back, many times over one connection', async () => {
    const server = http.createServer((request, response) => {
      let body = '';
      request.on('data', (bytes: Buffer) => {
        body += bytes.toString();
      });
      request.on('end', () => response.end(`${request.method} ${request.url} ${body}`));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    path.addCluster('web', [typeof address === 'object' && address !== null ? address.port : 0]);
    const port = await path.serve();
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    for (let index = 0; index < 20; index++) {
      const request = http.request({ port, agent, method: 'POST', path: `/${index}` });
      request.end(`body ${index}`);
      const [response] = (await once(request, 'response')) as [http.IncomingMessage];
      let text = '';
      for await (const bytes of response) text += String(bytes);
      expect(text).toBe(`POST /${index} body ${index}`);
      expect(response.headers['server']).toBe('weft');
    }
    agent.destroy();
    server.close();
    server.closeAllConnections();
    expect(path.counter('cluster', 'web', 'upstream_cx_total')).toBe(1);
    expect(path.counter('cluster', 'web', 'upstream_rq_2xx')).toBe(20);
    expect(path.counter('http', 'ingress', 'downstream_cx_total')).toBe(1);
    expect(path.records.every((record) => record.status === 200 && record.responseFlags === '')).toBe(true);
  });
});

/** A request head with no body. */
function get(target: string, ...fields: string[]): string {
  return [`GET ${target} HTTP/1.1`, 'host: web', ...fields, '', ''].join('\r\n');
}

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

describe('framing and keep-alive', () => {
  it('answers pipelined requests one after the other, in order', async () => {
    const client = await connect(await path.serve());
    client.send(get('/1') + get('/2') + get('/3'));
    const host = await upstream.connection(0);
    await host.receives('GET /1');
    expect(host.received).not.toContain('/2');
    for (const [index, body] of ['one', 'two', 'three'].entries()) {
      await host.receives(`GET /${index + 1} `);
      host.send(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    }
    const received = await client.receives('three');
    expect(received.indexOf('one')).toBeLessThan(received.indexOf('two'));
    expect(received.indexOf('two')).toBeLessThan(received.indexOf('three'));
    expect(upstream.connections.length).toBe(1);
  });

  it('row 66: answers a valid request, then refuses the invalid one behind it and closes', async () => {
    const client = await connect(await path.serve());
    client.send(`${get('/1')}GET /2 HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n`);
    const host = await upstream.connection(0);
    await host.receives('\r\n\r\n');
    host.send(OK);
    const received = await client.ends();
    expect(received).toMatch(/^HTTP\/1\.1 200 [\s\S]*HTTP\/1\.1 400 /);
    expect(host.received).not.toContain('/2');
  });

  it('passes chunked bodies both ways and keeps the connection', async () => {
    const client = await connect(await path.serve());
    client.send('POST /a HTTP/1.1\r\nhost: web\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n');
    const host = await upstream.connection(0);
    await host.receives('3\r\nabc\r\n');
    client.send('2\r\nde\r\n0\r\n\r\n');
    expect(await host.receives('0\r\n\r\n')).toContain('transfer-encoding: chunked');
    host.send('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nwxyz\r\n');
    await client.receives('4\r\nwxyz\r\n');
    host.send('0\r\nx-checksum: 7\r\n\r\n');
    await client.receives('0\r\nx-checksum: 7\r\n\r\n');
    client.send(get('/b'));
    await host.receives('GET /b');
  });

  it('row 65: gives an HTTP/1.0 client a body that lasts until close', async () => {
    const client = await connect(await path.serve());
    client.send('GET / HTTP/1.0\r\nhost: web\r\n\r\n');
    const host = await upstream.connection(0);
    await host.receives('\r\n\r\n');
    host.send('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n');
    const received = await client.ends();
    expect(received).toMatch(/connection: close\r\n\r\nhi$/);
    expect(received).not.toContain('chunked');
  });

  it('closes after the response to `Connection: close`', async () => {
    const client = await connect(await path.serve());
    client.send(get('/', 'connection: close'));
    const host = await upstream.connection(0);
    await host.receives('\r\n\r\n');
    host.send(OK);
    expect(await client.ends()).toContain('connection: close\r\n');
  });

  it('forwards the length of a HEAD response without a body', async () => {
    const client = await connect(await path.serve());
    client.send('HEAD / HTTP/1.1\r\nhost: web\r\n\r\n');
    const host = await upstream.connection(0);
    await host.receives('HEAD / ');
    host.send('HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n');
    expect(await client.receives('\r\n\r\n')).toContain('content-length: 5000');
    client.send(get('/next'));
    await host.receives('GET /next');
  });

  it('row 54: passes Expect on and 100 back, then the body', async () => {
    const client = await connect(await path.serve());
    client.send('PUT / HTTP/1.1\r\nhost: web\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n');
    const host = await upstream.connection(0);
    expect(await host.receives('\r\n\r\n')).toContain('expect: 100-continue');
    host.send('HTTP/1.1 100 Continue\r\n\r\n');
    await client.receives('HTTP/1.1 100 ');
    client.send('abc');
    await host.receives('\r\n\r\nabc');
    host.send(OK);
    await client.receives('HTTP/1.1 200 ');
  });

  it('row 53: passes 103 to an HTTP/1.1 client and keeps it from an HTTP/1.0 one', async () => {
    const port = await path.serve();
    const early = 'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n';
    const modern = await connect(port);
    modern.send(get('/'));
    const first = await upstream.connection(0);
    await first.receives('\r\n\r\n');
    first.send(early + OK);
    expect(await modern.receives('ok')).toMatch(/^HTTP\/1\.1 103 [\s\S]*HTTP\/1\.1 200 /);
    const old = await connect(port);
    old.send('GET / HTTP/1.0\r\nhost: web\r\n\r\n');
    await first.until(() => first.received.split('GET').length === 3, 'the second request');
    first.send(early + OK);
    expect(await old.ends()).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('row 35: tells an HTTP/2 client that this port does not speak it, and counts that', async () => {
    const client = await connect(await path.serve({ codecType: 'http1' }));
    client.send('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    expect(await client.ends()).toMatch(/^HTTP\/1\.1 505 /);
    expect(path.counter('http', 'ingress', 'downstream_cx_protocol_error')).toBe(1);
  });
});

describe('aborts and early answers', () => {
  it('row 43: a client that stops mid-body leaves the upstream with an aborted request', async () => {
    const client = await connect(await path.serve());
    client.send('POST / HTTP/1.1\r\nhost: web\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n');
    const host = await upstream.connection(0);
    await host.receives('abc');
    client.socket.end();
    await host.until(() => host.isClosed, 'the abort').catch(() => undefined);
    expect(host.received).not.toContain('0\r\n\r\n');
    const record = await path.recordsReach(1);
    expect(record).toMatchObject({ responseFlags: 'DC', responseCodeDetails: 'downstream_remote_disconnect' });
    expect(path.gauge('cluster', 'web', 'upstream_rq_active')).toBe(0);
  });

  it('a client that leaves while it waits cancels the request upstream', async () => {
    const client = await connect(await path.serve());
    client.send(get('/'));
    const host = await upstream.connection(0);
    await host.receives('\r\n\r\n');
    client.destroy();
    await host.ends();
    expect(path.counter('cluster', 'web', 'upstream_rq_cancelled')).toBe(1);
  });

  it.each([
    ['content-length', 'content-length: 10\r\n\r\nabc'],
    ['chunked', 'transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n'],
  ])('row 44: an upstream that stops mid-body (%s) leaves the client with an aborted response', async (_name, rest) => {
    const client = await connect(await path.serve());
    client.send(get('/'));
    const host = await upstream.connection(0);
    await host.receives('\r\n\r\n');
    host.send(`HTTP/1.1 200 OK\r\n${rest}`);
    await client.receives('abc');
    host.socket.end();
    expect(await client.ends()).not.toContain('\r\n0\r\n\r\n');
    const record = await path.recordsReach(1);
    expect(record.responseFlags).toBe('UC');
  });

  it('row 44: a close-delimited body towards HTTP/1.0 that was cut ends with RST, not FIN', async () => {
    const client = await connect(await path.serve());
    client.send('GET / HTTP/1.0\r\nhost: web\r\n\r\n');
    const host = await upstream.connection(0);
    await host.receives('\r\n\r\n');
    host.send('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n');
    await client.receives('abc');
    host.destroy();
    await client.ends();
    expect(client.errorCode).toBe('ECONNRESET');
  });

  it('row 48: drains a short unread body after a local reply and serves the next request', async () => {
    const port = await path.serve({
      routes: {
        kind: 'inline',
        routeConfiguration: routeConfiguration({ virtualHosts: [virtualHost({ routes: [] })] }),
      },
    });
    const client = await connect(port);
    client.send('POST / HTTP/1.1\r\nhost: web\r\ncontent-length: 5\r\n\r\n');
    await client.receives('HTTP/1.1 404 ');
    client.send(`abcde${get('/second')}`);
    await client.until(() => client.received.split('HTTP/1.1 404').length === 3, 'the second answer');
    expect(client.received).not.toContain('connection: close');
  });

  it('row 48: says close where the unread body is long or of unknown length', async () => {
    const port = await path.serve({
      routes: { kind: 'inline', routeConfiguration: routeConfiguration({ virtualHosts: [] }) },
    });
    for (const framing of ['content-length: 1000000', 'transfer-encoding: chunked']) {
      const client = await connect(port);
      client.send(`POST / HTTP/1.1\r\nhost: web\r\n${framing}\r\n\r\n`);
      expect(await client.ends()).toMatch(/^HTTP\/1\.1 404 [\s\S]*connection: close\r\n/);
    }
  });

  it('row 49: relays an early answer and does not reuse that upstream connection', async () => {
    const client = await connect(await path.serve());
    client.send('POST / HTTP/1.1\r\nhost: web\r\ncontent-length: 10\r\n\r\nabc');
    const host = await upstream.connection(0);
    await host.receives('abc');
    host.send('HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\n\r\n');
    await client.receives('HTTP/1.1 413 ');
    await host.ends();
    client.send(`defghij${get('/next')}`);
    const second = await upstream.connection(1);
    await second.receives('GET /next');
    expect(second.received).not.toContain('defghij');
  });

  it('row 50: bytes on an idle upstream connection close it and meet no later request', async () => {
    const client = await connect(await path.serve());
    client.send(get('/1'));
    const host = await upstream.connection(0);
    await host.receives('\r\n\r\n');
    host.send(OK);
    await client.receives('ok');
    host.send('HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged');
    await host.ends();
    client.send(get('/2'));
    const second = await upstream.connection(1);
    await second.receives('GET /2');
    second.send(OK);
    await client.until(() => client.received.split('HTTP/1.1 200').length === 3, 'the second answer');
    expect(client.received).not.toContain('forged');
    expect(path.counter('cluster', 'web', 'upstream_cx_unexpected_bytes')).toBe(1);
  });

  it('row 50: surplus bytes behind a response close that connection', async () => {
    const client = await connect(await path.serve());
    client.send(get('/1'));
    const host = await upstream.connection(0);
    await host.receives('\r\n\r\n');
    host.send(`${OK}HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged`);
    await client.receives('ok');
    client.send(get('/2'));
    const second = await upstream.connection(1);
    await second.receives('GET /2');
    expect(client.received).not.toContain('forged');
  });

  it('row 52: a response that is not canonical is a bad gateway', async () => {
    const client = await connect(await path.serve());
    client.send(get('/'));
    const host = await upstream.connection(0);
    await host.receives('\r\n\r\n');
    host.send('HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok');
    await client.receives('HTTP/1.1 502 ');
    expect((await path.recordsReach(1)).responseFlags).toBe('UPE');
  });
});

describe('back-pressure', () => {
  it('a client that does not read stops the upstream at the watermark', async () => {
    const client = await connect(await path.serve());
    client.socket.pause();
    client.send(get('/'));
    const host = await upstream.connection(0);
    await host.receives('\r\n\r\n');
    const piece = Buffer.alloc(1 << 20);
    const pieces = 64;
    host.send(`HTTP/1.1 200 OK\r\ncontent-length: ${piece.length * pieces}\r\n\r\n`);
    let written = 0;
    const writeAll = (): void => {
      while (written < pieces) {
        written++;
        if (!host.socket.write(piece)) {
          host.socket.once('drain', writeAll);
          return;
        }
      }
    };
    writeAll();
    await new Promise((resolve) => setTimeout(resolve, 300));
    // What both kernels hold, and no more: far from all of it.
    expect(path.counter('cluster', 'web', 'upstream_cx_rx_bytes_total')).toBeLessThan(16 << 20);
    client.socket.removeAllListeners('data');
    client.socket.resume();
    const record = await path.recordsReach(1);
    expect(record.responseBodyBytes).toBe(piece.length * pieces);
  }, 20_000);

  it('an upstream that does not read stops the client at the watermark', async () => {
    const client = await connect(await path.serve());
    const size = 32 << 20;
    client.send(`POST / HTTP/1.1\r\nhost: web\r\ncontent-length: ${size}\r\n\r\n`);
    const host = await upstream.connection(0);
    await host.receives('\r\n\r\n');
    host.socket.pause();
    client.socket.write(Buffer.alloc(size));
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(client.socket.writableLength).toBeGreaterThan(size / 2);
    let bytes = 0;
    host.socket.removeAllListeners('data');
    host.socket.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes === size) host.send(OK);
    });
    host.socket.resume();
    await client.receives('HTTP/1.1 200 ');
    expect((await path.recordsReach(1)).requestBodyBytes).toBe(size);
  }, 20_000);
});
