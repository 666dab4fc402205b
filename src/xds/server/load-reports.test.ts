import { Client, type ClientDuplexStream, credentials } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { grpcService, LOAD_REPORTING_SERVICE } from '../../resource/grpc-service.ts';
import type { WireMessage } from '../../resource/protos.ts';
import { eventually } from '../fakes/eventually.ts';
import { MemorySource } from '../fakes/memory-source.ts';
import { startXdsServer, type XdsServer } from './server.ts';

let server: XdsServer;
const clients: Client[] = [];

beforeEach(async () => {
  server = await startXdsServer({ source: new MemorySource(), host: '127.0.0.1', port: 0 });
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await server.stop();
});

function open(): ClientDuplexStream<WireMessage, WireMessage> {
  const method = grpcService(LOAD_REPORTING_SERVICE)['StreamLoadStats'];
  if (method === undefined) throw new Error('no such method');
  const client = new Client(`127.0.0.1:${server.port}`, credentials.createInsecure());
  clients.push(client);
  const stream = client.makeBidiStreamRequest<WireMessage, WireMessage>(
    method.path,
    method.requestSerialize,
    method.responseDeserialize,
  );
  stream.on('error', () => {});
  return stream;
}

const report = (issued: number, successful: number, failed: number, inProgress: number): WireMessage => ({
  cluster_stats: [
    {
      cluster_name: 'web',
      total_dropped_requests: 1,
      upstream_locality_stats: [
        {
          total_issued_requests: issued,
          total_successful_requests: successful,
          total_error_requests: failed,
          total_requests_in_progress: inProgress,
        },
      ],
    },
  ],
});

test('a client is asked for all clusters; reports of all clients add up, and what is under way leaves with its client', async () => {
  const first = open();
  const asked = new Promise<WireMessage>((resolve) => first.once('data', resolve));
  first.write({ node: { id: 'a' } });
  expect(await asked).toMatchObject({ send_all_clusters: true, load_reporting_interval: { seconds: '10' } });
  first.write(report(5, 3, 1, 2));
  first.write(report(4, 4, 0, 1));
  const second = open();
  second.write({ node: { id: 'b' } });
  second.write(report(1, 1, 0, 4));
  await eventually(() => server.state.loads.view()).toEqual([
    { cluster: 'web', issued: 10, successful: 8, failed: 1, dropped: 3, inProgress: 5, reporters: 2 },
  ]);
  first.cancel();
  await eventually(() => server.state.loads.view()[0]).toMatchObject({ issued: 10, inProgress: 4, reporters: 1 });
});

test('claims that no counter can hold count as nothing', async () => {
  const stream = open();
  stream.write({ node: { id: 'a' } });
  stream.write(report(Number.MAX_VALUE, 1, 0, 0));
  await eventually(() => server.state.loads.view()[0]).toMatchObject({ issued: 0, successful: 1 });
});
