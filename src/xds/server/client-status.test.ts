import { Client, credentials, status } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CLIENT_STATUS_DISCOVERY_SERVICE, grpcService } from '../../resource/grpc-service.ts';
import type { WireMessage } from '../../resource/protos.ts';
import { CLUSTER_TYPE as CDS, CLUSTER_LOAD_ASSIGNMENT_TYPE as EDS, SECRET_TYPE } from '../../resource/type-url.ts';
import { eventually } from '../fakes/eventually.ts';
import { MemorySource, namedResource } from '../fakes/memory-source.ts';
import { RawAdsClient } from '../fakes/raw-ads-client.ts';
import { startXdsServer, type XdsServer } from './server.ts';

let source: MemorySource;
let server: XdsServer;
let proxy: RawAdsClient;
let tool: Client;

beforeEach(async () => {
  source = new MemorySource();
  server = await startXdsServer({ source, host: '127.0.0.1', port: 0 });
  proxy = new RawAdsClient(server.port, 'delta', 'web-1');
  tool = new Client(`127.0.0.1:${server.port}`, credentials.createInsecure());
});

afterEach(async () => {
  proxy.close();
  tool.close();
  await server.stop();
});

function ask(request: WireMessage): Promise<WireMessage> {
  const method = grpcService(CLIENT_STATUS_DISCOVERY_SERVICE)['FetchClientStatus'];
  if (method === undefined) throw new Error('no such method');
  return new Promise((resolve, reject) => {
    tool.makeUnaryRequest<WireMessage, WireMessage>(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
      (error, answer) => {
        if (error !== null) reject(error);
        else resolve(answer ?? {});
      },
    );
  });
}

test('a tool is shown what each client was sent, accepted, refused, and asked for in vain', async () => {
  source.set([namedResource(CDS, 'web', '1'), namedResource(EDS, 'web', '1'), namedResource(SECRET_TYPE, 'key', '1')]);
  proxy.delta({ typeUrl: CDS });
  const clusters = await proxy.next();
  proxy.delta({ typeUrl: CDS, responseNonce: clusters.nonce });
  proxy.delta({ typeUrl: EDS, subscribe: ['web', 'ghost'] });
  const endpoints = await proxy.next();
  proxy.delta({ typeUrl: EDS, responseNonce: endpoints.nonce, errorDetail: 'web: no weight' });
  proxy.delta({ typeUrl: SECRET_TYPE, subscribe: ['key'] });
  await proxy.next();
  await eventually(() => server.state.counters.rejected).toBe(1);
  const { config } = await ask({});
  expect(config).toMatchObject([
    {
      node: { id: 'web-1', user_agent_name: 'raw' },
      generic_xds_configs: [
        { type_url: CDS, name: 'web', version_info: '1', config_status: 'SYNCED', client_status: 'ACKED' },
        {
          type_url: EDS,
          name: 'web',
          config_status: 'ERROR',
          client_status: 'NACKED',
          error_state: { details: 'web: no weight' },
        },
        { type_url: EDS, name: 'ghost', client_status: 'DOES_NOT_EXIST' },
        { type_url: SECRET_TYPE, name: 'key', config_status: 'STALE', client_status: 'REQUESTED', xds_config: null },
      ],
    },
  ]);
  expect(config).toMatchObject([{ generic_xds_configs: [{ xds_config: { type_url: CDS } }, {}, {}, {}] }]);
});

test('only the nodes asked for are shown, without contents where these are not wanted', async () => {
  source.set([namedResource(CDS, 'web', '1')]);
  proxy.delta({ typeUrl: CDS });
  await proxy.next();
  const asked = (node_id: WireMessage) => ask({ node_matchers: [{ node_id }], exclude_resource_contents: true });
  expect((await asked({ exact: 'api-1' }))['config']).toEqual([]);
  expect((await asked({ prefix: 'WEB', ignore_case: true }))['config']).toMatchObject([
    { generic_xds_configs: [{ name: 'web', xds_config: null }] },
  ]);
  await expect(asked({ safe_regex: { regex: '.*' } })).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
});
