import type { FakeConsul } from '../consul/testing/fake-consul.ts';

/** The sidecar of `web`, which calls `api` and `db`. */
export const SCRIPTED_PROXY = 'web-1-sidecar-proxy';

/** All that a control server asks a Consul with one sidecar. */
export function fillConsul(fake: FakeConsul): void {
  fake.set('/v1/status/leader', '127.0.0.1:8300');
  fake.set('/v1/agent/self', { Config: { NodeName: 'n1' } });
  fake.set(`/v1/agent/service/${SCRIPTED_PROXY}`, { ID: SCRIPTED_PROXY, Kind: 'connect-proxy' });
  fake.set('/v1/connect/ca/roots', { TrustDomain: 'mesh.consul' });
  fake.set('/v1/config/service-intentions', []);
  fake.set('/v1/config/proxy-defaults', [{ Kind: 'proxy-defaults', Name: 'global', Config: { protocol: 'http' } }]);
  for (const kind of ['service-defaults', 'service-router', 'service-splitter', 'service-resolver']) {
    fake.set(`/v1/config/${kind}`, []);
  }
  writeRegistration(fake, ['api', 9191], ['db', 9192]);
  writeHealth(fake, 'api', 1);
  writeHealth(fake, 'db', 2);
}

export function writeRegistration(fake: FakeConsul, ...upstreams: readonly (readonly [string, number])[]): void {
  fake.set('/v1/catalog/node-services/n1', {
    Node: { Node: 'n1', Address: '127.0.0.1', Datacenter: 'dc1' },
    Services: [
      {
        ID: SCRIPTED_PROXY,
        Kind: 'connect-proxy',
        Address: '127.0.0.1',
        Port: 21_000,
        Proxy: {
          DestinationServiceName: 'web',
          LocalServicePort: 8080,
          Upstreams: upstreams.map(([DestinationName, LocalBindPort]) => ({ DestinationName, LocalBindPort })),
        },
      },
    ],
  });
}

export function writeHealth(fake: FakeConsul, service: string, ...ports: readonly number[]): void {
  const rows = ports.map((Port) => ({
    Node: { Node: 'n1', Address: '127.0.0.1' },
    Service: { ID: `${service}-${Port}`, Service: service, Address: '127.0.0.1', Port },
    Checks: [],
  }));
  fake.set(`/v1/health/connect/${service}`, rows);
}
