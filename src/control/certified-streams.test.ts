import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { TestAuthority } from '../../test/support/certificates.ts';
import { EMPTY_TLS_CONTEXT } from '../resource/transport-socket.ts';
import { CLUSTER_TYPE as CDS } from '../resource/type-url.ts';
import { XdsClient } from '../xds/client/client.ts';
import { eventually } from '../xds/fakes/eventually.ts';
import type { RunningControl } from './control.ts';
import { Mesh } from './testing/mesh.ts';

let mesh: Mesh;
let control: RunningControl;
let authority: TestAuthority;
let folder: string;
const clients: XdsClient<string>[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'weft-control-tls-'));
  authority = await TestAuthority.create();
  const own = await authority.issue({ names: [{ type: 'ip', value: '127.0.0.1' }] });
  mesh = await Mesh.start();
  await mesh.register('web', 8001);
  control = await mesh.control({
    tls: {
      certificateFile: write('cert.pem', own.certificatePem),
      keyFile: write('key.pem', own.keyPem),
      clientCaFile: write('ca.pem', authority.certificatePem),
    },
  });
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.stop();
  await mesh.stop();
  rmSync(folder, { recursive: true, force: true });
});

function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

/** A sidecar of `web` with the certificate of a service. */
async function connectAs(service: string): Promise<{ readonly client: XdsClient<string>; readonly errors: string[] }> {
  const uri = `spiffe://mesh.test/ns/default/dc/dc1/svc/${service}`;
  const pair = await authority.issue({ names: [{ type: 'url', value: uri }] });
  const inline = (text: string) => ({ kind: 'inline', text }) as const;
  const errors: string[] = [];
  const client = new XdsClient<string>({
    servers: [
      {
        host: '127.0.0.1',
        port: control.xdsPort,
        transportSocket: {
          kind: 'upstreamTls',
          sni: '',
          common: {
            ...EMPTY_TLS_CONTEXT,
            certificates: [{ certificateChain: inline(pair.certificatePem), privateKey: inline(pair.keyPem) }],
            validation: { trustedCa: inline(authority.certificatePem), matchSubjectAltNames: [] },
          },
        },
      },
    ],
    node: {
      id: 'web-8001-sidecar-proxy',
      cluster: '',
      locality: { region: '', zone: '', subZone: '' },
      metadata: {},
    },
    isDelta: true,
    userAgentVersion: '0',
    decode: () => ({ ok: true, value: '' }),
    onUpdate: () => {},
    onState: (_state, lastError) => errors.push(lastError),
  });
  client.setSubscription(CDS, 'everything');
  client.start();
  clients.push(client);
  return { client, errors };
}

test("a sidecar with its service's certificate is given that service's configuration", async () => {
  const { client } = await connectAs('web');
  await eventually(() => [...client.resources(CDS).keys()]).toEqual(['local_app']);
});

test("the node id of another service's sidecar is refused to whoever has not its certificate", async () => {
  const { client, errors } = await connectAs('api');
  await eventually(() => errors.join('\n')).toContain('its certificate is that of "api"');
  expect(client.resources(CDS).size).toBe(0);
});
