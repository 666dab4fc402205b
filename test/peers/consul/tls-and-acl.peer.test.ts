import { randomUUID } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { TestAuthority } from '../../../src/control/consul/testing/certificates.ts';
import { Load } from '../../mesh/support/load.ts';
import { until } from '../../mesh/support/waiting.ts';
import { startConsul } from '../support/consul.ts';
import { describeWithPeer } from '../support/peer.ts';
import { makeTempDirectory } from '../support/temp-directory.ts';
import { ConsulMesh } from './consul-mesh.ts';

const PAGE = readFileSync(fileURLToPath(new URL('../../../docs/deploy/running-weft.md', import.meta.url)), 'utf8');
const SERVER_NAME = 'server.dc1.consul';
const NOTICE_WITHIN_MS = 90_000;

describeWithPeer('consul', 'a real Consul with TLS and ACLs that deny', () => {
  test('serves a mesh whose control server has the policy of the page, and one that loses it loses nothing', async () => {
    const directory = makeTempDirectory('tls-and-acl');
    const authority = await TestAuthority.make('consul');
    const [server, client] = await Promise.all([
      authority.sign({ type: 'dns', value: SERVER_NAME }),
      authority.sign({ type: 'dns', value: 'control' }),
    ]);
    const file = (name: string, text: string): string => {
      writeFileSync(join(directory.path, name), text);
      return join(directory.path, name);
    };
    const management = randomUUID();
    const caFile = file('ca.pem', authority.cert);
    try {
      await using consul = await startConsul({
        https: true,
        hcl: [
          `tls { https {
             ca_file = "${caFile}" cert_file = "${file('s.pem', server.cert)}" key_file = "${file('s-key.pem', server.key)}"
             verify_incoming = true
           } }`,
          `acl { enabled = true default_policy = "deny"
             tokens { initial_management = "${management}" agent = "${management}" } }`,
        ],
      });
      const acl = new Acl(consul.httpAddress, management);
      await acl.put('/v1/acl/policy', { Name: 'weft-control', Rules: policyOfThePage() });
      const token = await acl.put('/v1/acl/token', { Policies: [{ Name: 'weft-control' }] });
      await using mesh = await ConsulMesh.start({
        consulUrls: [consul.httpsAddress],
        agentUrl: consul.httpAddress,
        agentToken: management,
        controlEnvironment: {
          CONSUL_HTTP_TOKEN_FILE: file('token', `${String(token['SecretID'])}\n`),
          CONSUL_CACERT: caFile,
          CONSUL_CLIENT_CERT: file('c.pem', client.cert),
          CONSUL_CLIENT_KEY: file('c-key.pem', client.key),
          CONSUL_TLS_SERVER_NAME: SERVER_NAME,
        },
      });
      const load = new Load({ port: mesh.upstreamPort, pauseMs: 20 });
      await load.more(100);
      // Under ACLs that deny, so does the default of intentions, which nothing enforces here.
      const problems = await until('the intentions of both services', async () => {
        const told = (await mesh.overview()).problems;
        return told.length === 2 ? told : undefined;
      });
      expect(problems.map(({ where }) => where).sort()).toEqual(['intentions of api', 'intentions of caller']);
      expect(mesh.control.output).not.toContain(String(token['SecretID']));

      await acl.put(`/v1/acl/policy/${await acl.policyId()}`, {
        Name: 'weft-control',
        Rules: 'agent_prefix "" { policy = "read" }',
      });
      await until(
        'the console to name what the token lacks',
        async () => {
          const { watches } = (await mesh.overview()).consul;
          const health = watches.find(({ key }) => key.startsWith('health api'));
          return health?.state === 'stale' && health.error?.includes('service:read') === true ? true : undefined;
        },
        NOTICE_WITHIN_MS,
      );
      await load.more(100);

      await acl.put(`/v1/acl/policy/${await acl.policyId()}`, { Name: 'weft-control', Rules: policyOfThePage() });
      await mesh.addApi('api-2');
      await until('traffic on the new instance', () => load.byInstance.get('api-2'), NOTICE_WITHIN_MS);
      await load.stop();
      expect(load.failures).toEqual([]);
      await until('no watch in trouble', async () => {
        const { watches } = (await mesh.overview()).consul;
        return watches.every(({ state }) => state === 'current') ? true : undefined;
      });
    } finally {
      directory.remove();
    }
  }, 300_000);
});

/** The HCL block of the page that begins with the name of the policy. */
function policyOfThePage(): string {
  const policy = /```hcl\n(# weft-control[\s\S]*?)```/.exec(PAGE)?.[1];
  if (policy === undefined) throw new Error('docs/deploy/running-weft.md has no policy "weft-control"');
  return policy;
}

class Acl {
  readonly #url: string;
  readonly #token: string;

  constructor(url: string, token: string) {
    this.#url = url;
    this.#token = token;
  }

  async put(path: string, body: unknown): Promise<Record<string, unknown>> {
    return this.#ask(path, { method: 'PUT', body: JSON.stringify(body) });
  }

  async policyId(): Promise<string> {
    return String((await this.#ask('/v1/acl/policy/name/weft-control', {}))['ID']);
  }

  async #ask(path: string, init: RequestInit): Promise<Record<string, unknown>> {
    const response = await fetch(`${this.#url}${path}`, {
      ...init,
      headers: { 'x-consul-token': this.#token },
      signal: AbortSignal.timeout(10_000),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
    return JSON.parse(text) as Record<string, unknown>;
  }
}
