import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { buildExtension, httpFilter } from '../../../test/support/extensions.ts';
import {
  httpConnectionManager,
  route,
  routeConfiguration,
  routeMatch,
  virtualHost,
} from '../../../test/support/resources.ts';
import type { HttpConnectionManager } from '../../resource/http-connection-manager.ts';
import type { TypedExtension } from '../../resource/route-configuration.ts';
import { DataPath, RawPeer, RawUpstream } from './data-path-fixture.ts';

let path: DataPath;
let upstream: RawUpstream;
const peers: RawPeer[] = [];
const OK = 'HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok';
const RBAC = 'envoy.extensions.filters.http.rbac.v3.RBAC';

type Json = Readonly<Record<string, unknown>>;

function rules(action: string, prefix: string): Json {
  const permissions = [{ urlPath: { path: { prefix } } }];
  return { action, policies: { 'the admins': { permissions, principals: [{ any: true }] } } };
}

/** RBAC before the router; `special` is what the route of /special says about it. */
function managerWith(json: Json, special?: TypedExtension): Partial<HttpConnectionManager> {
  const routes = [
    route({
      match: routeMatch({ path: { kind: 'prefix', prefix: '/special' } }),
      typedPerFilterConfig: new Map(special === undefined ? [] : [['rbac', special]]),
    }),
    route(),
  ];
  return {
    httpFilters: [httpFilter('rbac', RBAC, json), ...httpConnectionManager().httpFilters],
    routes: { kind: 'inline', routeConfiguration: routeConfiguration({ virtualHosts: [virtualHost({ routes })] }) },
  };
}

async function ask(
  manager: Partial<HttpConnectionManager>,
  target: string,
  fields = '',
  method = 'GET',
): Promise<string> {
  const client = await RawPeer.connect(await path.serve(manager));
  peers.push(client);
  client.send(`${method} ${target} HTTP/1.1\r\nhost: web\r\n${fields}\r\n`);
  const answered = client.until(() => client.received.includes('\r\n\r\n'), 'an answer');
  const forwarded = upstream.connection(upstream.connections.length).then(async (host) => {
    await host.receives('\r\n\r\n');
    host.send(OK);
  });
  await Promise.race([answered, forwarded]);
  await answered;
  return client.received;
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

describe('RBAC of requests', () => {
  it('lets pass what it allows', async () => {
    expect(await ask(managerWith({ rules: rules('ALLOW', '/api') }), '/api/x')).toContain('200 OK');
    expect(path.counter('http', 'ingress', 'rbac.allowed')).toBe(1);
  });

  it('answers 403 with Envoy’s words to what it does not, and names no policy where none matched', async () => {
    const answer = await ask(managerWith({ rules: rules('ALLOW', '/api') }), '/admin');
    expect(answer).toMatch(/^HTTP\/1\.1 403 Forbidden\r\n[\s\S]*\r\n\r\nRBAC: access denied$/);
    expect(await path.recordsReach(1)).toMatchObject({
      status: 403,
      responseFlags: '',
      responseCodeDetails: 'rbac_access_denied_matched_policy[none]',
    });
    expect(path.counter('http', 'ingress', 'rbac.denied')).toBe(1);
    expect(upstream.connections).toHaveLength(0);
  });

  it('names the policy that denied', async () => {
    await ask(managerWith({ rules: rules('DENY', '/admin') }), '/admin/x');
    expect((await path.recordsReach(1)).responseCodeDetails).toBe('rbac_access_denied_matched_policy[the_admins]');
  });

  it('a gRPC caller hears PERMISSION_DENIED', async () => {
    const manager = managerWith({ rules: rules('DENY', '/') });
    const answer = await ask(manager, '/test.Echo/Unary', 'content-type: application/grpc\r\n', 'POST');
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(answer).toContain('grpc-status: 7\r\ngrpc-message: RBAC: access denied\r\n');
  });

  it('is asked about the path as it was normalized, however it was written', async () => {
    const manager = { ...managerWith({ rules: rules('DENY', '/admin') }), normalizePath: true, mergeSlashes: true };
    for (const target of ['/x/../admin', '//admin', '/%61dmin', '/./admin']) {
      expect(await ask(manager, target)).toContain('403 Forbidden');
    }
    expect(await ask(manager, '/administration-is-not-meant-but-starts-so')).toContain('403');
    expect(await ask(manager, '/other')).toContain('200 OK');
  });

  it('rules that are only tried are counted and let everything pass', async () => {
    const manager = managerWith({ shadowRules: rules('DENY', '/admin'), shadowRulesStatPrefix: 'next' });
    expect(await ask(manager, '/admin')).toContain('200 OK');
    expect(path.counter('http', 'ingress', 'rbac.next.shadow_denied')).toBe(1);
    expect(path.counter('http', 'ingress', 'rbac.denied')).toBe(0);
  });

  it('LOG lets everything pass and counts what matched', async () => {
    expect(await ask(managerWith({ rules: rules('LOG', '/admin') }), '/admin')).toContain('200 OK');
    expect(path.counter('http', 'ingress', 'rbac.logged')).toBe(1);
  });

  it('a route has rules of its own, or none', async () => {
    const ofRoute = (json: Json): TypedExtension => buildExtension(`${RBAC}PerRoute`, json);
    const denyAll = { rules: rules('DENY', '/') };
    const own = managerWith(denyAll, ofRoute({ rbac: { rules: rules('DENY', '/special/secret') } }));
    expect(await ask(own, '/special/open')).toContain('200 OK');
    expect(await ask(own, '/special/secret')).toContain('403');
    expect(await ask(own, '/open')).toContain('403');
    expect(await ask(managerWith(denyAll, ofRoute({})), '/special/secret')).toContain('200 OK');
  });

  it('a request without a route is judged too', async () => {
    const manager = managerWith({ rules: rules('DENY', '/') });
    const routes = { kind: 'inline', routeConfiguration: routeConfiguration({ virtualHosts: [] }) } as const;
    expect(await ask({ ...manager, routes }, '/x')).toContain('403');
  });
});
