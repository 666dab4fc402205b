import { expect, test } from 'vitest';
import { certifiedService } from './certified-node.ts';

test.each([
  [['spiffe://mesh.consul/ns/default/dc/dc1/svc/web'], 'web'],
  [['spiffe://mesh.consul/ap/one/ns/default/dc/dc1/svc/web'], 'web'],
  [['https://elsewhere', 'spiffe://mesh.consul/ns/default/dc/dc1/svc/api'], 'api'],
  [['spiffe://mesh.consul/agent/client/dc/dc1/id/node'], undefined],
  [['spiffe://mesh.consul/ns/default/dc/dc1/svc/web/more'], undefined],
  [[], undefined],
])('the certificate of %j is that of service %s', (certifiedUris, service) => {
  expect(certifiedService({ certifiedUris })).toBe(service);
});
