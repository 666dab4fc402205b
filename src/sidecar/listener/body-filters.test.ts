import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { buildExtension } from '../../../test/support/extensions.ts';
import { httpConnectionManager, route, routeConfiguration, virtualHost } from '../../../test/support/resources.ts';
import { ChangedRequestHead, ChangedResponseHead } from '../../http/changed-head.ts';
import { UNKNOWN_LENGTH } from '../../http/head.ts';
import type { HttpConnectionManager } from '../../resource/http-connection-manager.ts';
import type { TypedExtension } from '../../resource/route-configuration.ts';
import { type CompiledFilter, type FilterFactory, type FilterStream, plainReply } from '../filter/filter.ts';
import { DataPath, RawPeer, RawUpstream } from './data-path-fixture.ts';

let path: DataPath;
let upstream: RawUpstream;
const peers: RawPeer[] = [];
const filters = new Map<string, CompiledFilter>();
const factory: FilterFactory = (name) => filters.get(name) ?? { name };
const POST = 'POST / HTTP/1.1\r\nhost: web\r\ncontent-length: 6\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

interface Options {
  readonly disabled?: readonly string[];
  readonly onRoute?: ReadonlyMap<string, TypedExtension>;
  readonly onHost?: ReadonlyMap<string, TypedExtension>;
}

function chainOf(list: readonly CompiledFilter[], options: Options = {}): Partial<HttpConnectionManager> {
  filters.clear();
  for (const filter of list) filters.set(filter.name, filter);
  const config = { typeUrl: 'type.googleapis.com/test', value: new Uint8Array() };
  const { disabled = [], onRoute = new Map(), onHost = new Map() } = options;
  const described = list.map(({ name }) => ({ name, isOptional: false, disabled: disabled.includes(name), config }));
  const host = virtualHost({ routes: [route({ typedPerFilterConfig: onRoute })], typedPerFilterConfig: onHost });
  return {
    httpFilters: [...described, ...httpConnectionManager().httpFilters],
    routes: { kind: 'inline', routeConfiguration: routeConfiguration({ virtualHosts: [host] }) },
  };
}

async function connect(port: number): Promise<RawPeer> {
  const peer = await RawPeer.connect(port);
  peers.push(peer);
  return peer;
}

/** Puts a letter around each piece and at the end, so that order shows. */
function marking(name: string): CompiledFilter {
  return {
    name,
    onRequestHead(stream) {
      stream.head = new ChangedRequestHead(stream.head, { bodyLength: UNKNOWN_LENGTH });
      return 'continue';
    },
    onRequestBody: (_, piece) => piece.replace(Buffer.from(`${name}(${piece.view().toString()})`)),
    onRequestEnd: (_, ending) => ending.append(Buffer.from(`${name}.`)),
    onResponseHead(stream, head) {
      stream.responseHead = new ChangedResponseHead(head, { bodyLength: UNKNOWN_LENGTH });
      return 'continue';
    },
    onResponseBody: (_, piece) => piece.replace(Buffer.from(`${name}[${piece.view().toString()}]`)),
    onResponseEnd: (_, ending) => ending.append(Buffer.from(`${name};`)),
  };
}

/** Waits for the whole request before it goes on. */
function buffering(name: string): CompiledFilter {
  return {
    name,
    onRequestHead(stream) {
      stream.holdRequestUpTo(100);
      return 'stop';
    },
    onRequestEnd: (stream) => stream.continueRequest(),
  };
}

/** Text of chunked bodies, without the sizes. */
function dechunked(text: string): string {
  const body = text.slice(text.indexOf('\r\n\r\n') + 4);
  return body.replaceAll(/(?:^|\r\n)[0-9a-f]+\r\n/g, '').replace(/\r\n$/, '');
}

beforeEach(async () => {
  path = new DataPath({ filterFactories: new Map([['type.googleapis.com/test', factory]]) });
  upstream = await RawUpstream.listen();
  path.addCluster('web', [upstream.port]);
});

afterEach(() => {
  for (const peer of peers.splice(0)) peer.destroy();
  upstream.close();
  path.close();
});

describe('body hooks', () => {
  it('change bodies in the order of the chain, responses in reverse, and see what those before them appended', async () => {
    const client = await connect(await path.serve(chainOf([marking('a'), marking('b')])));
    client.send(`${POST}abcdef`);
    const host = await upstream.connection(0);
    expect(dechunked(await host.receives('0\r\n\r\n'))).toBe('b(a(abcdef))b(a.)b.');
    host.send(OK);
    expect(dechunked(await client.receives('0\r\n\r\n'))).toBe('a[b[ok]]a[b;]a;');
  });

  it('see local replies too', async () => {
    const refusing: CompiledFilter = {
      name: 'refuse',
      onRequestHead(stream) {
        stream.sendLocalReply(plainReply(403, 'no', 'no'), '');
        return 'stop';
      },
    };
    const client = await connect(await path.serve(chainOf([marking('a'), refusing])));
    client.send('GET / HTTP/1.1\r\nhost: web\r\n\r\n');
    expect(dechunked(await client.receives('0\r\n\r\n'))).toBe('a[no]a;');
  });

  it('a filter may wait for the whole body: hooks before it have seen it by then, those behind it see it after', async () => {
    const client = await connect(await path.serve(chainOf([marking('a'), buffering('hold'), marking('b')])));
    client.send(`${POST}abc`);
    await expect.poll(() => path.gauge('http', 'ingress', 'downstream_rq_active')).toBe(1);
    expect(upstream.connections).toHaveLength(0);
    client.send('def');
    const host = await upstream.connection(0);
    expect(dechunked(await host.receives('0\r\n\r\n'))).toMatch(/^b\(a\(abc.*def\)\)b\(a\.\)b\.$/);
    host.send(OK);
    await client.receives('0\r\n\r\n');
  });

  it('a client that asks before it sends is told to go on by the filter that waits for the body', async () => {
    const client = await connect(await path.serve(chainOf([buffering('hold')])));
    client.send('POST / HTTP/1.1\r\nhost: web\r\nexpect: 100-continue\r\ncontent-length: 6\r\n\r\n');
    await client.receives('HTTP/1.1 100 Continue\r\n\r\n');
    client.send('abcdef');
    const host = await upstream.connection(0);
    expect(await host.receives('abcdef')).not.toContain('expect');
    host.send(OK);
    await client.receives('ok');
  });

  it('a body that waits for its filter on a connection which is there already still comes before its end', async () => {
    const client = await connect(await path.serve(chainOf([buffering('hold')])));
    for (const body of ['abcdef', 'ghijkl']) {
      client.send(POST + body);
      const host = await upstream.connection(0);
      await host.receives(`\r\n\r\n${body}`);
      host.send(OK);
      await client.until(() => client.received.endsWith('ok'), 'the answer');
      client.received = '';
    }
    expect(upstream.connections).toHaveLength(1);
  });
});

describe('a filter that holds a response', () => {
  const holding = (limit: number): CompiledFilter => ({
    name: 'hold',
    onResponseHead(stream) {
      stream.holdResponseUpTo(limit);
      return 'stop';
    },
    onResponseEnd(stream, ending) {
      const head = stream.responseHead;
      if (head === undefined) return;
      stream.responseEdits.add('x-why', ending.trailers?.get('why') ?? 'none');
      stream.responseHead = new ChangedResponseHead(head, { status: 418 });
      stream.continueResponse();
    },
  });
  const CHUNKED =
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nx-own: 1\r\n\r\n3\r\nabc\r\n0\r\nwhy: because\r\n\r\n';

  it('may wait for its trailers and say another status', async () => {
    const client = await connect(await path.serve(chainOf([holding(100)])));
    client.send('GET / HTTP/1.1\r\nhost: web\r\n\r\n');
    const host = await upstream.connection(0);
    await host.receives('\r\n\r\n');
    host.send(CHUNKED);
    const answer = await client.receives('why: because\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 418 [\s\S]*x-own: 1\r\nx-why: because\r\n/);
    expect(await path.recordsReach(1)).toMatchObject({ status: 418, responseBodyBytes: 3 });
  });

  it('answers 500 where the response is longer than it may keep', async () => {
    const client = await connect(await path.serve(chainOf([holding(2)])));
    client.send('GET / HTTP/1.1\r\nhost: web\r\n\r\n');
    const host = await upstream.connection(0);
    await host.receives('\r\n\r\n');
    host.send(CHUNKED);
    expect(await client.receives('\r\n\r\n')).toMatch(/^HTTP\/1\.1 500 /);
    expect((await path.recordsReach(1)).responseCodeDetails).toBe('response_payload_too_large');
  });

  it('an upstream that breaks off while it is held is answered with 503, since nothing was written', async () => {
    const client = await connect(await path.serve(chainOf([holding(100)])));
    client.send('GET / HTTP/1.1\r\nhost: web\r\n\r\n');
    const host = await upstream.connection(0);
    await host.receives('\r\n\r\n');
    host.send('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab');
    host.socket.end();
    expect(await client.receives('\r\n\r\n')).toMatch(/^HTTP\/1\.1 503 /);
  });
});

describe('filters on routes', () => {
  const answering = (name: string, status: number): CompiledFilter => ({
    name,
    onRequestHead(stream: FilterStream) {
      stream.sendLocalReply(plainReply(status, name, ''), '');
      return 'stop';
    },
    forRoute: (configs) => answering(name, configs[0]?.kind === 'buffer' ? configs[0].maxRequestBytes : 0),
  });
  const off = buildExtension('envoy.config.route.v3.FilterConfig', { disabled: true });
  const of = (maxRequestBytes: number): TypedExtension =>
    buildExtension('envoy.extensions.filters.http.buffer.v3.BufferPerRoute', { buffer: { maxRequestBytes } });

  it.each([
    ['as the chain says', {}, '401'],
    ['the route’s own', { onRoute: new Map([['a', of(402)]]) }, '402'],
    ['the virtual host’s', { onHost: new Map([['a', of(403)]]) }, '403'],
    [
      'the route’s before the virtual host’s',
      { onHost: new Map([['a', of(403)]]), onRoute: new Map([['a', of(402)]]) },
      '402',
    ],
    ['off on the route', { onRoute: new Map([['a', off]]) }, '200'],
    ['off in the chain', { disabled: ['a'] }, '200'],
    ['off in the chain, on for the route', { disabled: ['a'], onRoute: new Map([['a', of(404)]]) }, '404'],
  ] satisfies [string, Options, string][])('%s', async (_, options, status) => {
    const client = await connect(await path.serve(chainOf([answering('a', 401)], options)));
    client.send('GET / HTTP/1.1\r\nhost: web\r\n\r\n');
    if (status === '200') {
      const host = await upstream.connection(0);
      await host.receives('\r\n\r\n');
      host.send(OK);
    }
    expect(await client.receives('\r\n\r\n')).toContain(`HTTP/1.1 ${status} `);
  });

  it('a filter knows whose connection it is', async () => {
    let seen: FilterStream['peer'] | undefined;
    let client = '';
    const looking: CompiledFilter = {
      name: 'look',
      onRequestHead(stream) {
        seen = stream.peer;
        client = stream.clientAddress;
        return 'continue';
      },
    };
    const peer = await connect(await path.serve({ ...chainOf([looking]), xffNumTrustedHops: 1 }));
    peer.send('GET / HTTP/1.1\r\nhost: web\r\nx-forwarded-for: 10.0.0.1, 10.0.0.2\r\n\r\n');
    await upstream.connection(0);
    expect(seen).toMatchObject({ address: '127.0.0.1', directAddress: '127.0.0.1', port: peer.socket.localPort });
    expect(seen?.transport.isTls).toBe(false);
    expect(client).toBe('10.0.0.1');
  });
});
