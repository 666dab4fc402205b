import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { weft } from '../../mesh/support/child-program.ts';
import { startOrigin } from '../../mesh/support/origin.ts';
import { startEnvoy } from '../support/envoy.ts';
import {
  asUser,
  describeInNamespace,
  NetworkNamespace,
  REMOTE_IPV4,
  REMOTE_IPV6,
} from '../support/network-namespace.ts';
import { describeWithPeer } from '../support/peer.ts';
import { makeTempDirectory } from '../support/temp-directory.ts';
import { getAt, heardFrom, startGreeter } from './support/exchange-at.ts';
import { blockOf, SIDECAR_UID } from './support/page.ts';

const HTTP = 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';
const ROUTER = 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router';

const at = (address: string, port_value: number): object => ({ socket_address: { address, port_value } });

/** A listener whose one route does this. */
function listener(name: string, address: object, action: object, fields: object = {}): object {
  const routes = [{ match: { prefix: '/' }, ...action }];
  const manager = {
    '@type': HTTP,
    stat_prefix: name,
    route_config: { virtual_hosts: [{ name, domains: ['*'], routes }] },
    http_filters: [{ name: 'envoy.filters.http.router', typed_config: { '@type': ROUTER } }],
  };
  const filters = [{ name: 'envoy.filters.network.http_connection_manager', typed_config: manager }];
  return { name, address, filter_chains: [{ filters }], ...fields };
}

const says = (inline_string: string): object => ({ direct_response: { status: 200, body: { inline_string } } });
const UNBOUND = { bind_to_port: false };

/** The page's bootstrap, with listeners that are handed over to, and clusters that go by a header. */
function bootstrap(): string {
  const page = parse(blockOf('yaml')) as {
    static_resources: { listeners: Record<string, unknown>[]; clusters: object[] };
  };
  const { listeners, clusters } = page.static_resources;
  Object.assign(listeners[0] ?? {}, { use_original_dst: true });
  listeners.push(
    listener('exact', at('240.0.0.2', 81), says('exact'), UNBOUND) as Record<string, unknown>,
    listener('any', at('0.0.0.0', 81), says('any'), UNBOUND) as Record<string, unknown>,
    listener('exact6', at('2001:db8:2::2', 81), says('exact6'), UNBOUND) as Record<string, unknown>,
    listener('any6', at('::', 82), says('any6'), UNBOUND) as Record<string, unknown>,
    listener('header', at('127.0.0.1', 15_003), { route: { cluster: 'by-header' } }) as Record<string, unknown>,
    listener('port', at('127.0.0.1', 15_004), { route: { cluster: 'by-port' } }) as Record<string, unknown>,
  );
  const byHeader = { type: 'ORIGINAL_DST', lb_policy: 'CLUSTER_PROVIDED' };
  clusters.push(
    { name: 'by-header', ...byHeader, original_dst_lb_config: { use_http_header: true } },
    {
      name: 'by-port',
      ...byHeader,
      original_dst_lb_config: { use_http_header: true, http_header_name: 'x-to', upstream_port_override: 8080 },
    },
  );
  return stringify(page);
}

describeWithPeer('envoy', 'transparent proxying, ours and that of Envoy, with one bootstrap', () => {
  describeInNamespace('in a network of their own', () => {
    const directory = makeTempDirectory('transparent-beside-envoy');
    let network: NetworkNamespace | undefined;

    beforeAll(() => {
      network = new NetworkNamespace();
      network.nft(blockOf('nft'));
    });

    afterAll(() => {
      network?.[Symbol.dispose]();
      directory.remove();
    });

    /** What comes of everything that is tried. */
    async function outcomes(): Promise<Readonly<Record<string, string>>> {
      await using greeter4 = await startGreeter(REMOTE_IPV4, 0);
      await using greeter6 = await startGreeter(REMOTE_IPV6, 0);
      const original = (value: string): Promise<string> =>
        getAt('127.0.0.1', 15_003, { 'x-envoy-original-dst-host': value });
      const said = async (answer: Promise<string>): Promise<string> => (await answer).replace(/\{.*\}/s, '{…}');
      const status = async (answer: Promise<string>): Promise<string> => (await answer).slice(0, 3);
      const meant = (heard: string): string => heard.replace(/\d+$/, 'PORT');
      return {
        'a chain by range': await said(getAt('240.0.0.1', 80)),
        'a listener at the very address': await getAt('240.0.0.2', 81),
        'the listener at all addresses': await getAt('240.0.0.3', 81),
        'a listener at the very address, IPv6': await getAt('2001:db8:2::2', 81),
        'the listener at all addresses, IPv6': await getAt('2001:db8:2::3', 82),
        'a listener at all addresses of IPv6 only, IPv4': await getAt(REMOTE_IPV4, 82).catch(() => 'closed'),
        'no listener of that port': meant(await heardFrom(REMOTE_IPV4, greeter4.port)),
        'no listener of that port, IPv6': meant(await heardFrom(REMOTE_IPV6, greeter6.port)),
        'nobody there': await heardFrom(REMOTE_IPV4, 9),
        'an address in a header': await said(original('127.0.0.1:8080')),
        'no address in a header': await status(original('web:8080')),
        'an address without its port': await status(original('127.0.0.1')),
        'nothing in a header': await status(original('')),
        'another port': await said(getAt('127.0.0.1', 15_004, { 'x-to': '127.0.0.1:1' })),
      };
    }

    test('the same comes of the same connections', async () => {
      const origin = await startOrigin({ service: 'web', instance: 'web-1', port: 8080 });
      const startedBy = asUser(SIDECAR_UID);
      try {
        const yaml = bootstrap();
        await using envoy = await startEnvoy(yaml, { startedBy });
        const theirs = await outcomes();
        await envoy.stop();
        const file = join(directory.path, 'bootstrap.yaml');
        writeFileSync(file, yaml);
        const args = ['sidecar', '--bootstrap', file, '--admin', '127.0.0.1:0', '--no-state', '--concurrency', '1'];
        await using sidecar = weft(args, { OTEL_TRACES_EXPORTER: 'none' }, startedBy);
        await sidecar.said(/admin on/);
        const ours = await outcomes();
        expect(theirs).toMatchObject({
          'a chain by range': '200 {…}',
          'a listener at the very address': '200 exact',
          'the listener at all addresses': '200 any',
          'no listener of that port': `reached at ${REMOTE_IPV4} PORT`,
          'an address in a header': '200 {…}',
        });
        expect(ours).toEqual(theirs);
      } finally {
        await origin.stop();
      }
    });
  });
});
