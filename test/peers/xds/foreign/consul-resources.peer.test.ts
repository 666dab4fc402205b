import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { decodeResource } from '../../../../src/resource/decode.ts';
import { isResourceType } from '../../../../src/resource/resource.ts';
import { unknownFields } from '../../../../src/resource/unknown-fields.ts';
import { until } from '../../../mesh/support/waiting.ts';
import { startConsul } from '../../support/consul.ts';
import { describeWithPeer } from '../../support/peer.ts';
import { type CapturedResource, captureResources } from './support/capture.ts';
import { CONSUL_WORLD_PROXIES, fillConsul } from './support/consul-world.ts';

/** With WEFT_RECORD=1 what Consul sends is written here, for the unit test that reads it without a Consul. */
const RECORDING = fileURLToPath(new URL('../../../../src/resource/testing/consul-resources.jsonl', import.meta.url));

describeWithPeer('consul', "what Consul's own control plane sends", () => {
  test('every resource for every sidecar is understood, and nothing in it is unknown to us', async () => {
    await using consul = await startConsul();
    await fillConsul(consul);
    const port = Number(consul.grpcAddress.split(':')[1]);
    const recording: string[] = [];
    const refusals: string[] = [];
    for (const proxy of CONSUL_WORLD_PROXIES) {
      const captured = await until(`all resources of ${proxy}`, () => captureResources(port, proxy), 60_000);
      for (const { typeUrl, name, bytes, json } of captured) {
        expect(unknownFields(typeUrl, bytes), `${proxy} ${name}`).toEqual([]);
        const decoded = isResourceType(typeUrl) ? decodeResource(typeUrl, bytes) : undefined;
        if (decoded?.ok !== true)
          refusals.push(...(decoded?.faults ?? []).map((fault) => `${proxy}: ${fault.message}`));
        recording.push(stable(JSON.stringify({ proxy, typeUrl, resource: json })));
      }
      expect(kinds(captured), proxy).toContain('Listener');
    }
    if (process.env['WEFT_RECORD'] === '1') writeFileSync(RECORDING, `${recording.join('\n')}\n`);
    expect(refusals).toEqual([]);
  });
});

function kinds(captured: readonly CapturedResource[]): readonly string[] {
  return [...new Set(captured.map(({ typeUrl }) => typeUrl.slice(typeUrl.lastIndexOf('.') + 1)))];
}

/** Without keys, certificates and the trust domain of one run. */
function stable(text: string): string {
  return text
    .replace(/-----BEGIN [A-Z ]*PRIVATE KEY-----[^"]*/g, 'PRIVATE KEY')
    .replace(/-----BEGIN CERTIFICATE-----[^"]*/g, 'CERTIFICATE')
    .replace(
      /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\.consul/g,
      '11111111-2222-3333-4444-555555555555.consul',
    );
}
