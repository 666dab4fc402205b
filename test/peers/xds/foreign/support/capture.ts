import { protoJson } from '../../../../../src/resource/proto-json.ts';
import { nameOfTypeUrl } from '../../../../../src/resource/protos.ts';
import {
  CLUSTER_LOAD_ASSIGNMENT_TYPE,
  CLUSTER_TYPE,
  LISTENER_TYPE,
  ROUTE_CONFIGURATION_TYPE,
} from '../../../../../src/resource/type-url.ts';
import { RawAdsClient } from '../../../../../src/xds/fakes/raw-ads-client.ts';
import { withinMs } from '../../../../mesh/support/waiting.ts';

const ANSWER_WITHIN_MS = 20_000;

/** One resource as it came. */
export interface CapturedResource {
  readonly typeUrl: string;
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Canonical ProtoJSON. */
  readonly json: unknown;
}

/**
 * Everything a delta management server has for a node: clusters and listeners, then the endpoints and routes that those
 * name. Every response is accepted, whatever we think of it.
 */
export async function captureResources(port: number, nodeId: string): Promise<readonly CapturedResource[]> {
  const client = new RawAdsClient(port, 'delta', nodeId);
  try {
    const captured: CapturedResource[] = [];
    for (const typeUrl of [CLUSTER_TYPE, LISTENER_TYPE]) captured.push(...(await askFor(client, typeUrl)));
    const assignments = captured.flatMap(({ json }) => edsName(json));
    if (assignments.length > 0) captured.push(...(await askFor(client, CLUSTER_LOAD_ASSIGNMENT_TYPE, assignments)));
    const routes = captured
      .flatMap(({ json }) => [...JSON.stringify(json).matchAll(/"routeConfigName":"([^"]+)"/g)])
      .map(([, name = '']) => name);
    if (routes.length > 0) captured.push(...(await askFor(client, ROUTE_CONFIGURATION_TYPE, [...new Set(routes)])));
    return captured;
  } finally {
    client.close();
  }
}

/** Asks for names, or for everything of the type, and takes responses until there is an answer for each name. */
async function askFor(
  client: RawAdsClient,
  typeUrl: string,
  names: readonly string[] = [],
): Promise<readonly CapturedResource[]> {
  const missing = new Set(names);
  const captured: CapturedResource[] = [];
  client.delta({ typeUrl, subscribe: [...names] });
  do {
    const response = await withinMs(ANSWER_WITHIN_MS, client.next(), () => `no answer for ${typeUrl}`);
    client.delta({ typeUrl: response.typeUrl, responseNonce: response.nonce });
    if (response.typeUrl !== typeUrl) continue;
    for (const { name = '', message } of response.resources) {
      missing.delete(name);
      captured.push({ typeUrl, name, bytes: message, json: protoJson(nameOfTypeUrl(typeUrl), message) });
    }
    for (const name of response.removedNames) missing.delete(name);
  } while (missing.size > 0);
  return captured;
}

function edsName(json: unknown): readonly string[] {
  const { type, name, edsClusterConfig } = json as {
    readonly type?: string;
    readonly name?: string;
    readonly edsClusterConfig?: { readonly serviceName?: string };
  };
  return type === 'EDS' ? [edsClusterConfig?.serviceName ?? name ?? ''] : [];
}
