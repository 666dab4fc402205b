import * as grpc from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { buildExtension, httpFilter } from '../../../test/support/extensions.ts';
import { httpConnectionManager, route, routeConfiguration, virtualHost } from '../../../test/support/resources.ts';
import { type Json, UnaryService } from '../../../test/support/unary-service.ts';
import type { HttpConnectionManager } from '../../resource/http-connection-manager.ts';
import { UNSAID_HTTP2_OPTIONS } from '../../resource/http2-options.ts';
import { DataPath, RawPeer, RawUpstream, unusedPort } from './data-path-fixture.ts';

const TYPE = 'envoy.extensions.filters.http.ext_authz.v3';
const HTTP2 = { kind: 'explicitHttp2', http2: UNSAID_HTTP2_OPTIONS } as const;
const GRPC = { grpcService: { envoyGrpc: { clusterName: 'auth' } }, transportApiVersion: 'V3' };
/** Longer than any test waits. */
const PATIENT = { grpcService: { envoyGrpc: { clusterName: 'auth' }, timeout: '20s' }, transportApiVersion: 'V3' };
const OK = 'HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok';

let path: DataPath;
let upstream: RawUpstream;
let auth: UnaryService;
const peers: RawPeer[] = [];

function managerWith(json: Json, onRoute?: Json, onHost?: Json): Partial<HttpConnectionManager> {
  const configs = (settings: Json | undefined) =>
    new Map(settings === undefined ? [] : [['authz', buildExtension(`${TYPE}.ExtAuthzPerRoute`, settings)] as const]);
  const host = virtualHost({
    routes: [route({ typedPerFilterConfig: configs(onRoute) })],
    typedPerFilterConfig: configs(onHost),
  });
  return {
    httpFilters: [httpFilter('authz', `${TYPE}.ExtAuthz`, json), ...httpConnectionManager().httpFilters],
    routes: { kind: 'inline', routeConfiguration: routeConfiguration({ virtualHosts: [host] }) },
  };
}

async function connect(manager: Partial<HttpConnectionManager>): Promise<RawPeer> {
  const client = await RawPeer.connect(await path.serve(manager));
  peers.push(client);
  return client;
}

interface Exchange {
  /** What the upstream saw; '' where the request did not come through. */
  readonly request: string;
  readonly answer: string;
}

/** One request, answered by the upstream where it comes through. */
async function ask(
  manager: Partial<HttpConnectionManager>,
  text = 'GET /a?b=c HTTP/1.1\r\nhost: web\r\n\r\n',
): Promise<Exchange> {
  const client = await connect(manager);
  client.send(text);
  let request = '';
  const serve = async (): Promise<void> => {
    const connection = await upstream.connection(0);
    request = await connection.receives('\r\n\r\n');
    connection.send(OK);
  };
  await Promise.race([serve(), client.receives('\r\n\r\n')]);
  const head = await client.receives('\r\n\r\n');
  const length = Number(/content-length: (\d+)/.exec(head)?.[1] ?? 0);
  const whole = head.indexOf('\r\n\r\n') + 4 + length;
  await client.until(() => client.received.length >= whole, 'the body');
  return { request, answer: client.received };
}

const count = (name: string): number => path.counter('http', 'ingress', `ext_authz.${name}`);
const option = (key: string, value: string, more: Json = {}): Json => ({ header: { key, value }, ...more });

/** Exactly one of what can become of a check was counted. */
function expectCounts(expected: Readonly<Record<string, number>>): void {
  const names = ['ok', 'denied', 'error', 'timeout', 'invalid', 'failure_mode_allowed'];
  expect(Object.fromEntries(names.map((name) => [name, count(name)]).filter(([, value]) => value !== 0))).toEqual(
    expected,
  );
}

beforeEach(async () => {
  path = new DataPath();
  upstream = await RawUpstream.listen();
  auth = await UnaryService.listen('envoy.service.auth.v3.Authorization', 'Check');
  path.addCluster('web', [upstream.port]);
  path.addCluster('auth', [auth.port], { upstreamProtocol: HTTP2 });
});

afterEach(() => {
  for (const peer of peers.splice(0)) peer.destroy();
  upstream.close();
  auth.close();
  path.close();
});

describe('a gRPC service', () => {
  it('is told of the request, and says what the upstream and the client get', async () => {
    auth.conduct = {
      kind: 'answers',
      json: {
        ok_response: {
          headers: [
            option('X-User', 'ann'),
            option('x-tag', 'two', { append: { value: true } }),
            option('x-none', 'x', { append_action: 'OVERWRITE_IF_EXISTS' }),
          ],
          headers_to_remove: ['X-Secret'],
          response_headers_to_add: [option('x-seen', 'yes')],
        },
      },
    };
    const text = 'GET /a?b=c HTTP/1.1\r\nhost: web\r\nx-user: eve\r\nx-tag: one\r\nx-secret: s\r\nx-secret: t\r\n\r\n';
    const { request, answer } = await ask(managerWith(PATIENT), text);
    expect(answer).toContain('200 OK');
    expect(answer).toContain('x-seen: yes\r\n');
    expect(request).toContain('x-user: ann\r\n');
    expect(request).not.toMatch(/eve|x-secret|x-none/);
    expect(request).toMatch(/x-tag: one\r\n[\s\S]*x-tag: two\r\n/);
    expect(auth.requests[0]).toMatchObject({
      attributes: {
        source: { address: { socket_address: { address: '127.0.0.1' } } },
        destination: { address: { socket_address: { address: '127.0.0.1' } } },
        request: {
          http: {
            method: 'GET',
            path: '/a?b=c',
            host: 'web',
            scheme: 'http',
            protocol: 'HTTP/1.1',
            headers: { ':path': '/a?b=c', ':authority': 'web', 'x-user': 'eve', 'x-secret': 's,t' },
          },
        },
      },
    });
    expectCounts({ ok: 1 });
    expect(path.counter('cluster', 'auth', 'upstream_rq_200')).toBe(1);
    expect(path.gauge('cluster', 'auth', 'upstream_rq_active')).toBe(0);
  });

  it('denies with status, headers and body of its own', async () => {
    const headers = [option('content-type', 'text/html'), option('set-cookie', 'a=b'), option('content-length', '999')];
    const denied = { status: { code: 'Unauthorized' }, headers, body: '<p>who?' };
    auth.conduct = { kind: 'answers', json: { status: { code: 16 }, denied_response: denied } };
    const { request, answer } = await ask(managerWith(PATIENT));
    expect(answer).toMatch(/^HTTP\/1\.1 401 [\s\S]*<p>who\?$/);
    expect(answer).toContain('content-type: text/html\r\n');
    expect(answer).toContain('set-cookie: a=b\r\n');
    expect(answer).not.toMatch(/text\/plain|999/);
    expect(request).toBe('');
    expect(await path.recordsReach(1)).toMatchObject({
      responseFlags: 'UAEX',
      responseCodeDetails: 'ext_authz_denied',
    });
    expectCounts({ denied: 1 });
  });

  it('denies with 403 where it says no more, whatever else it sends', async () => {
    auth.conduct = { kind: 'answers', json: { status: { code: 7 }, ok_response: {} } };
    expect((await ask(managerWith(PATIENT))).answer).toContain('HTTP/1.1 403 ');
    expectCounts({ denied: 1 });
  });

  it('is called with the metadata, the deadline and the authority that are configured', async () => {
    auth.conduct = { kind: 'answers', json: {} };
    const grpcService = {
      envoyGrpc: { clusterName: 'auth', authority: 'auth.local' },
      timeout: '9s',
      initialMetadata: [{ key: 'x-key', value: 'k' }],
    };
    await ask(managerWith({ ...PATIENT, grpcService }));
    expect(auth.metadata[0]?.get('x-key')).toEqual(['k']);
  });

  it('sees the headers that it may see', async () => {
    auth.conduct = { kind: 'answers', json: {} };
    const allowedHeaders = { patterns: [{ prefix: 'x-' }] };
    const disallowedHeaders = { patterns: [{ exact: 'x-not' }] };
    const text = 'GET / HTTP/1.1\r\nhost: web\r\nx-a: 1\r\nx-not: 2\r\ncookie: c=d\r\n\r\n';
    await ask(managerWith({ ...PATIENT, allowedHeaders, disallowedHeaders }), text);
    const told = JSON.stringify(auth.requests[0]);
    expect(told).toContain('"x-a":"1"');
    expect(told).not.toMatch(/x-not|cookie/);
  });

  it('sees the body that it asks for, and the upstream gets all of it', async () => {
    auth.conduct = { kind: 'answers', json: {} };
    const withRequestBody = { maxRequestBytes: 4, allowPartialMessage: true };
    const client = await connect(managerWith({ ...PATIENT, withRequestBody }));
    client.send('POST / HTTP/1.1\r\nhost: web\r\ncontent-length: 6\r\n\r\nabcdef');
    const connection = await upstream.connection(0);
    expect(await connection.receives('abcdef')).toContain('content-length: 6');
    const seen = { body: 'abcd', headers: { 'x-envoy-auth-partial-body': 'true' } };
    expect(auth.requests[0]).toMatchObject({ attributes: { request: { http: seen } } });
  });

  it('a body that is too long for it is answered with 413, and one that fits is shown whole', async () => {
    auth.conduct = { kind: 'answers', json: {} };
    const manager = managerWith({ ...PATIENT, withRequestBody: { maxRequestBytes: 4, packAsBytes: true } });
    const chunked = 'POST / HTTP/1.1\r\nhost: web\r\ntransfer-encoding: chunked\r\n\r\n';
    const long = await connect(manager);
    long.send(`${chunked}5\r\nabcde\r\n0\r\n\r\n`);
    expect(await long.receives('\r\n\r\n')).toContain('413');
    expect(auth.requests).toHaveLength(0);
    await ask(manager, `${chunked}4\r\nabcd\r\n0\r\n\r\n`);
    expect(auth.requests[0]).toMatchObject({ attributes: { request: { http: { raw_body: Buffer.from('abcd') } } } });
  });
});

describe('nobody passes', () => {
  const expectRefused = async (manager: Partial<HttpConnectionManager>, detail: string): Promise<void> => {
    const { request, answer } = await ask(manager);
    expect(answer).toContain('HTTP/1.1 403 ');
    expect(request).toBe('');
    const record = await path.recordsReach(1);
    expect(record.responseFlags).toBe('UAEX');
    expect(record.responseCodeDetails).toContain(`ext_authz_error{${detail}`);
    expect(count('ok') + count('denied')).toBe(0);
    expect(count('error')).toBe(1);
    expect(path.gauge('cluster', 'auth', 'upstream_rq_active')).toBe(0);
  };

  it('while the service is down', async () => {
    path.addCluster('auth', [await unusedPort()], { upstreamProtocol: HTTP2 });
    await expectRefused(managerWith(PATIENT), 'connectFailure');
  });

  it('while the service says nothing', async () => {
    await expectRefused(managerWith(GRPC), 'timeout');
    expect(count('timeout')).toBe(1);
  });

  it('when the service itself says that the deadline has passed', async () => {
    auth.conduct = { kind: 'fails', code: grpc.status.DEADLINE_EXCEEDED };
    await expectRefused(managerWith(PATIENT), 'timeout');
    expect(count('timeout')).toBe(1);
  });

  it('while its cluster does not exist', async () => {
    const grpcService = { envoyGrpc: { clusterName: 'nowhere' } };
    await expectRefused(managerWith({ ...PATIENT, grpcService }), 'cluster_not_found');
  });

  it('while its cluster has no host', async () => {
    path.assign('auth', []);
    await expectRefused(managerWith(PATIENT), 'no_healthy_upstream');
  });

  it('while its cluster speaks HTTP/1.1', async () => {
    path.addCluster('plain', [auth.port], { upstreamProtocol: { kind: 'explicitHttp1' } });
    const grpcService = { envoyGrpc: { clusterName: 'plain' } };
    await expectRefused(managerWith({ ...PATIENT, grpcService }), 'grpc_needs_http2');
  });

  it('on a gRPC error', async () => {
    auth.conduct = { kind: 'fails', code: grpc.status.PERMISSION_DENIED };
    await expectRefused(managerWith(PATIENT), 'grpc_status_7');
  });

  it('on bytes that are no answer', async () => {
    auth.conduct = { kind: 'answersBytes', bytes: Buffer.from([0x0a, 0xff, 0xff]) };
    await expectRefused(managerWith(PATIENT), 'answer_not_understood');
  });

  it('on bytes that are no HTTP/2', async () => {
    const garbage = await RawUpstream.listen();
    path.addCluster('auth', [garbage.port], { upstreamProtocol: HTTP2 });
    const served = garbage.connection(0).then((connection) => connection.send('HTTP/1.1 200 OK\r\n\r\n'));
    await expectRefused(managerWith(PATIENT), '');
    await served;
    garbage.close();
  });

  it.each([
    ['a header that would be several', { headers: [option('x-a', 'b\r\nx-c: d')] }],
    ['another host', { headers: [option('host', 'elsewhere')] }],
    ['another path', { headers: [option(':path', '/admin')] }],
    ['another length', { headers: [option('content-length', '3')] }],
    ['the removal of what framing rests on', { headers_to_remove: ['transfer-encoding'] }],
    ['a response header that cannot be written', { response_headers_to_add: [option('a b', 'c')] }],
    ['another query', { query_parameters_to_set: [{ key: 'a', value: 'b' }] }],
  ])('where the service asks for %s', async (_what, okResponse) => {
    auth.conduct = { kind: 'answers', json: { ok_response: okResponse } };
    await expectRefused(managerWith(PATIENT), 'answer_cannot_be_obeyed');
    expect(count('invalid')).toBe(1);
  });

  it('with the status that is configured for it', async () => {
    path.assign('auth', []);
    const { answer } = await ask(managerWith({ ...PATIENT, statusOnError: { code: 'ServiceUnavailable' } }));
    expect(answer).toContain('HTTP/1.1 503 ');
  });
});

it('failure_mode_allow lets through what nobody has judged, and says so', async () => {
  path.assign('auth', []);
  const { request } = await ask(managerWith({ ...PATIENT, failureModeAllow: true, failureModeAllowHeaderAdd: true }));
  expect(request).toContain('x-envoy-auth-failure-mode-allowed: true\r\n');
  expectCounts({ error: 1, failure_mode_allowed: 1 });
});

it('failure_mode_allow lets nobody through whom the service denies', async () => {
  auth.conduct = { kind: 'answers', json: { status: { code: 7 } } };
  expect((await ask(managerWith({ ...PATIENT, failureModeAllow: true }))).answer).toContain('403');
});

it('a client that leaves takes its question along', async () => {
  const client = await connect(managerWith(PATIENT));
  client.send('GET / HTTP/1.1\r\nhost: web\r\n\r\n');
  await expect.poll(() => auth.requests.length).toBe(1);
  client.destroy();
  await expect.poll(() => auth.cancelled).toBe(1);
  expect(path.gauge('cluster', 'auth', 'upstream_rq_active')).toBe(0);
  expectCounts({});
});

it('requests on one connection are each asked about', async () => {
  auth.conduct = { kind: 'answers', json: { status: { code: 7 } } };
  const client = await connect(managerWith(PATIENT));
  client.send('GET /1 HTTP/1.1\r\nhost: web\r\n\r\nGET /2 HTTP/1.1\r\nhost: web\r\n\r\n');
  await path.recordsReach(2);
  expect(auth.requests).toHaveLength(2);
  expectCounts({ denied: 2 });
});

describe('a route', () => {
  it('can do without', async () => {
    const { answer } = await ask(managerWith(PATIENT, { disabled: true }));
    expect(answer).toContain('200 OK');
    expect(auth.requests).toHaveLength(0);
  });

  it('adds what the service is to know, over what its virtual host says', async () => {
    auth.conduct = { kind: 'answers', json: {} };
    const onRoute = { checkSettings: { contextExtensions: { a: 'route' } } };
    const onHost = { checkSettings: { contextExtensions: { a: 'host', b: 'host' } } };
    await ask(managerWith(PATIENT, onRoute, onHost));
    expect(auth.requests[0]).toMatchObject({ attributes: { context_extensions: { a: 'route', b: 'host' } } });
  });
});

describe('an HTTP service', () => {
  let service: RawUpstream;
  const matches = (exact: string): Json => ({ patterns: [{ exact }] });
  const httpService = (more: Json = {}): Json => ({
    serverUri: { uri: 'http://auth', cluster: 'http-auth', timeout: '20s' },
    pathPrefix: '/check',
    ...more,
  });
  const HTTP = (more: Json = {}): Json => ({ transportApiVersion: 'V3', httpService: httpService(more) });

  beforeEach(async () => {
    service = await RawUpstream.listen();
    path.addCluster('http-auth', [service.port]);
  });

  afterEach(() => service.close());

  async function serviceAnswers(answer: string): Promise<string> {
    const connection = await service.connection(0);
    const request = await connection.receives('\r\n\r\n');
    connection.send(answer);
    return request;
  }

  it('is asked for the same path behind the prefix, and its 200 lets through', async () => {
    const json = {
      ...HTTP({
        authorizationRequest: { headersToAdd: [{ key: 'x-from', value: 'weft' }] },
        authorizationResponse: {
          allowedUpstreamHeaders: matches('x-user'),
          allowedClientHeadersOnSuccess: matches('x-seen'),
        },
      }),
      allowedHeaders: matches('x-a'),
    };
    const asked = serviceAnswers('HTTP/1.1 200 OK\r\nx-user: ann\r\nx-seen: y\r\nx-c: d\r\ncontent-length: 0\r\n\r\n');
    const text = 'GET /a?b HTTP/1.1\r\nhost: web\r\nauthorization: t\r\nx-a: 1\r\nx-b: 2\r\nx-user: eve\r\n\r\n';
    const { request, answer } = await ask(managerWith(json), text);
    expect(await asked).toMatch(/^GET \/check\/a\?b HTTP\/1\.1\r\n/);
    expect(await asked).toMatch(/host: web\r\n/);
    expect(await asked).toMatch(/authorization: t\r\n/);
    expect(await asked).toMatch(/x-a: 1\r\n/);
    expect(await asked).toMatch(/x-from: weft\r\n/);
    expect(await asked).not.toMatch(/x-b|eve/);
    expect(request).toContain('x-user: ann\r\n');
    expect(request).not.toMatch(/eve|x-c/);
    expect(answer).toContain('x-seen: y\r\n');
    expectCounts({ ok: 1 });
  });

  it('any other answer is the client’s', async () => {
    const asked = serviceAnswers('HTTP/1.1 302 Found\r\nlocation: /login\r\nx-c: d\r\ncontent-length: 2\r\n\r\ngo');
    const only = { authorizationResponse: { allowedClientHeaders: matches('x-other') } };
    const { answer } = await ask(managerWith(HTTP(only)));
    await asked;
    expect(answer).toMatch(/^HTTP\/1\.1 302 [\s\S]*\r\n\r\ngo$/);
    expect(answer).toContain('location: /login\r\n');
    expect(answer).not.toContain('x-c');
    expectCounts({ denied: 1 });
  });

  it('5xx is no decision', async () => {
    const asked = serviceAnswers('HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n');
    expect((await ask(managerWith(HTTP()))).answer).toContain('HTTP/1.1 403');
    await asked;
    expectCounts({ error: 1 });
  });

  it('bytes that are no HTTP are no decision', async () => {
    const asked = serviceAnswers('\x00\x01 what\r\n\r\n');
    expect((await ask(managerWith(HTTP()))).answer).toContain('HTTP/1.1 403');
    await asked;
    expectCounts({ error: 1 });
  });
});
