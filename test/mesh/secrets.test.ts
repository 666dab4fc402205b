import { writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildAny } from '../../src/resource/strict-builder.ts';
import {
  assignment,
  cluster,
  connectionManager,
  type Json,
  listener,
  socketAddress,
  typed,
  virtualHost,
} from '../../src/resource/testing/valid-resources.ts';
import { MemorySource } from '../../src/xds/fakes/memory-source.ts';
import { type EncodedResource, encodedResource, startXdsServer } from '../../src/xds/server/server.ts';
import { makeTempDirectory } from '../peers/support/temp-directory.ts';
import { type Pair, spiffe, TestAuthority } from '../support/certificates.ts';
import { weft } from './support/child-program.ts';
import { freePort } from './support/free-ports.ts';
import { type Origin, startOrigin } from './support/origin.ts';
import { until } from './support/waiting.ts';

let authority: TestAuthority;
let client: Pair;
let origin: Origin;

beforeAll(async () => {
  authority = await TestAuthority.create();
  client = await authority.issue({ names: [spiffe('client')] });
  origin = await startOrigin({ service: 'app', instance: 'app-1' });
});

afterAll(() => origin.stop());

const sds = (name: string): Json => ({ name, sdsConfig: { ads: {}, resourceApiVersion: 'V3' } });

const TYPE_NAMES = {
  cluster: 'envoy.config.cluster.v3.Cluster',
  assignment: 'envoy.config.endpoint.v3.ClusterLoadAssignment',
  listener: 'envoy.config.listener.v3.Listener',
  secret: 'envoy.extensions.transport_sockets.tls.v3.Secret',
} as const;

function resource(type: keyof typeof TYPE_NAMES, version: string, json: Json): EncodedResource {
  const built = buildAny({ '@type': `type.googleapis.com/${TYPE_NAMES[type]}`, ...json });
  if (!built.ok) throw new Error(JSON.stringify(built.faults));
  const { typeUrl, value } = built.value;
  const name = String(json['clusterName'] ?? json['name']);
  return encodedResource({ typeUrl, name, version, message: Buffer.from(value) });
}

function tlsListener(port: number, commonTlsContext: Json): Json {
  const context = { requireClientCertificate: true, commonTlsContext };
  const transportSocket = {
    name: 'tls',
    typedConfig: typed('envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext', context),
  };
  const manager = connectionManager({ routeConfig: { name: 'all', virtualHosts: [virtualHost()] } });
  return listener({
    name: 'entry',
    address: socketAddress('127.0.0.1', port),
    filterChains: [{ filters: [manager], transportSocket }],
  });
}

function webEndpoints(): Json {
  const address = socketAddress('127.0.0.1', origin.port);
  return assignment({ clusterName: 'web', endpoints: [{ lbEndpoints: [{ endpoint: { address } }] }] });
}

const leafSecret = (version: string, pair: Pair): EncodedResource =>
  resource('secret', version, {
    name: 'leaf',
    tlsCertificate: {
      certificateChain: { inlineString: pair.certificatePem },
      privateKey: { inlineString: pair.keyPem },
    },
  });

/** Status of one request on a connection of its own, and who answered. */
function askTls(port: number): Promise<{ status: number; names: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: '127.0.0.1',
        port,
        agent: false,
        cert: client.certificatePem,
        key: client.keyPem,
        ca: authority.certificatePem,
        checkServerIdentity: () => undefined,
        signal: AbortSignal.timeout(10_000),
      },
      (response) => {
        const names = (response.socket as TLSSocket).getPeerX509Certificate()?.subjectAltName ?? '';
        response.resume();
        response.on('end', () => resolve({ status: response.statusCode ?? 0, names }));
      },
    );
    outgoing.on('error', reject);
    outgoing.end();
  });
}

test('certificates come as secrets: waited for, renewed without a new listener, and kept where the next is no good', async () => {
  const source = new MemorySource();
  const refusals: string[] = [];
  const server = await startXdsServer({
    source,
    host: '127.0.0.1',
    port: 0,
    onRejected: (_, __, ___, detail) => refusals.push(detail),
  });
  const port = await freePort();
  const common = { tlsCertificateSdsSecretConfigs: [sds('leaf')], validationContextSdsSecretConfig: sds('roots') };
  const roots = resource('secret', '1', {
    name: 'roots',
    validationContext: { trustedCa: { inlineString: authority.certificatePem } },
  });
  const rest = [
    resource('cluster', '1', cluster({ name: 'web' })),
    resource('assignment', '1', webEndpoints()),
    resource('listener', '1', tlsListener(port, common)),
    roots,
  ];
  const first = await authority.issue({ names: [spiffe('first')] });
  const second = await authority.issue({ names: [spiffe('second')] });
  source.set(rest);
  await using sidecar = weft([
    ...['sidecar', '--proxy-id', 'app', '--control', `127.0.0.1:${server.port}`, '--no-state'],
    ...['--admin', '127.0.0.1:0', '--concurrency', '1', '--drain-timeout', '1s'],
  ]);
  try {
    source.set([...rest, leafSecret('1', first)]);
    const [, adminUrl = ''] = await sidecar.said(/admin on (http:\S+)/);
    expect(await askTls(port)).toEqual({ status: 200, names: 'URI:spiffe://mesh.test/first' });

    source.set([...rest, leafSecret('2', second)]);
    await until('the renewed certificate', async () =>
      (await askTls(port)).names === 'URI:spiffe://mesh.test/second' ? true : undefined,
    );

    const expired = await authority.issue({ notAfterMs: Date.now() - 1_000 });
    source.set([...rest, leafSecret('3', expired)]);
    expect(await until('the refusal', () => refusals[0])).toContain('has expired');
    source.set([...rest, leafSecret('4', { certificatePem: second.certificatePem, keyPem: first.keyPem })]);
    expect(await until('the second refusal', () => refusals[1])).toContain('private key does not belong');
    expect(await askTls(port)).toEqual({ status: 200, names: 'URI:spiffe://mesh.test/second' });

    const dump = await (await fetch(`${adminUrl}/config_dump`)).text();
    expect(dump).toContain('dynamic_active_secrets');
    expect(dump).not.toContain('PRIVATE KEY');
    const certs = await (await fetch(`${adminUrl}/certs`)).text();
    expect(certs).toContain('spiffe://mesh.test/second');
  } finally {
    await sidecar.stop();
    await server.stop();
  }
});

test('certificates come from files of a static bootstrap, read again when they change', async () => {
  const folder = makeTempDirectory('tls-files');
  const file = (name: string, text: string): string => {
    const path = join(folder.path, name);
    writeFileSync(path, text);
    return path;
  };
  const first = await authority.issue({ names: [spiffe('first')] });
  const second = await authority.issue({ names: [spiffe('second')] });
  const port = await freePort();
  const tlsCertificates = [
    {
      certificateChain: { filename: file('chain.pem', first.certificatePem) },
      privateKey: { filename: file('key.pem', first.keyPem) },
    },
  ];
  const secret = {
    name: 'roots',
    validationContext: { trustedCa: { filename: file('ca.pem', authority.certificatePem) } },
  };
  const common = { tlsCertificates, validationContextSdsSecretConfig: { name: 'roots' } };
  const bootstrap = {
    node: { id: 'app', cluster: 'app' },
    staticResources: {
      listeners: [tlsListener(port, common)],
      clusters: [{ name: 'web', type: 'STATIC', loadAssignment: webEndpoints() }],
      secrets: [secret],
    },
  };
  const path = file('bootstrap.json', JSON.stringify(bootstrap));
  await using sidecar = weft(
    ['sidecar', '--bootstrap', path, '--no-state', '--admin', '127.0.0.1:0', '--concurrency', '1'],
    { OTEL_TRACES_EXPORTER: 'none' },
  );
  try {
    await sidecar.said(/admin on (http:\S+)/);
    expect(await askTls(port)).toEqual({ status: 200, names: 'URI:spiffe://mesh.test/first' });
    // One after the other, as files do change: in between the old pair stays.
    file('chain.pem', second.certificatePem);
    file('key.pem', second.keyPem);
    await until('the renewed certificate', async () =>
      (await askTls(port)).names === 'URI:spiffe://mesh.test/second' ? true : undefined,
    );
  } finally {
    await sidecar.stop();
    folder.remove();
  }
});
