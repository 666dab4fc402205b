import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../../mesh/support/waiting.ts';
import { asUser, describeInNamespace, NetworkNamespace, REMOTE_IPV4 } from '../support/network-namespace.ts';
import { describeWithPeer } from '../support/peer.ts';
import { ConnectMesh, DENIES_BY_DEFAULT } from '../xds/foreign/support/connect-mesh.ts';
import { getAt, heardFrom, startGreeter } from './support/exchange-at.ts';
import { blockOf, SIDECAR_UID } from './support/page.ts';

const WITHIN_MS = 30_000;

describeWithPeer('consul', "transparent sidecars under Consul's own control plane", () => {
  describeInNamespace('with connections redirected to them', () => {
    let network: NetworkNamespace | undefined;

    beforeAll(() => {
      network = new NetworkNamespace();
      network.nft(blockOf('nft').replace('meta l4proto tcp', 'meta nfproto ipv4 meta l4proto tcp'));
    });

    afterAll(() => network?.[Symbol.dispose]());

    test('virtual addresses are services, other addresses are passed on, unless the mesh forbids it', async () => {
      await using mesh = await ConnectMesh.start({ ...DENIES_BY_DEFAULT, sidecarStartedBy: asUser(SIDECAR_UID) });
      await mesh.entry('proxy-defaults', 'global', { Mode: 'transparent' });
      for (const name of ['web', 'api']) await mesh.entry('service-defaults', name, { Protocol: 'http' });
      // It has no upstreams: whom it may call is what Consul makes them of.
      await mesh.intention('web', 'api', 'allow');
      const outboundPorts = { web: 15_001, api: 15_002 };
      const proxyOf = (service: keyof typeof outboundPorts): object => ({
        Mode: 'transparent',
        TransparentProxy: { OutboundListenerPort: outboundPorts[service] },
      });
      await mesh.add({ service: 'api', instance: 'api-1', proxy: proxyOf('api') });
      await mesh.add({ service: 'web', instance: 'web-1', proxy: proxyOf('web') });
      const address = await until('a virtual address', () => virtualAddress(mesh, 'api'), WITHIN_MS);
      expect(address).toMatch(/^240\./);
      const answer = await until(
        'an answer of api',
        async () => {
          const text = await getAt(address, 80, { 'x-test': 'transparent' });
          return text.startsWith('200 ') ? text : undefined;
        },
        WITHIN_MS,
      );
      expect(answer).toContain('"instance":"api-1"');
      expect(answer).toMatch(/URI=spiffe:\/\/[^;"]+\/svc\/web/);

      await using greeter = await startGreeter(REMOTE_IPV4, 0);
      expect(await heardFrom(REMOTE_IPV4, greeter.port)).toBe(`reached at ${REMOTE_IPV4} ${greeter.port}`);
      await mesh.put('/v1/config', { Kind: 'mesh', TransparentProxy: { MeshDestinationsOnly: true } });
      await until(
        'the end of what is not of the mesh',
        async () => ((await heardFrom(REMOTE_IPV4, greeter.port)) === '' ? true : undefined),
        WITHIN_MS,
      );
      expect(await getAt(address, 80)).toMatch(/^200 /);
      expect(mesh.refusals).toEqual([]);
    });

    test('an instance that is dialled at its own address is reached over mutual TLS', async () => {
      await using mesh = await ConnectMesh.start({ ...DENIES_BY_DEFAULT, sidecarStartedBy: asUser(SIDECAR_UID) });
      await mesh.entry('service-defaults', 'web', { Protocol: 'http' });
      await mesh.entry('service-defaults', 'api', { Protocol: 'http', TransparentProxy: { DialedDirectly: true } });
      await mesh.intention('web', 'api', 'allow');
      const proxy = { Mode: 'transparent', TransparentProxy: { OutboundListenerPort: 15_001 } };
      const api = await mesh.add({ service: 'api', instance: 'api-1', address: REMOTE_IPV4 });
      await mesh.add({ service: 'web', instance: 'web-1', proxy });
      // Plaintext from here, to a port that speaks TLS alone: in between is a sidecar of web, dialling as it was meant.
      const answer = await until(
        'an answer of api-1',
        async () => {
          const text = await getAt(REMOTE_IPV4, api.inboundPort);
          return text.startsWith('200 ') ? text : undefined;
        },
        WITHIN_MS,
      );
      expect(answer).toContain('"instance":"api-1"');
      expect(answer).toMatch(/URI=spiffe:\/\/[^;"]+\/svc\/web/);
      expect(mesh.refusals).toEqual([]);
    });
  });
});

interface CatalogRow {
  readonly ServiceTaggedAddresses?: Readonly<Record<string, { readonly Address: string }>>;
}

async function virtualAddress(mesh: ConnectMesh, service: string): Promise<string | undefined> {
  const response = await fetch(`${mesh.consul.httpAddress}/v1/catalog/connect/${service}`);
  const rows = (await response.json()) as readonly CatalogRow[];
  return rows[0]?.ServiceTaggedAddresses?.['consul-virtual']?.Address;
}
