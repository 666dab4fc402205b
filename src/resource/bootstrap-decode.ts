import type { Address } from './address.ts';
import { decodeAddress, decodeLocality } from './address-decode.ts';
import type { BootstrapFile, Node } from './bootstrap.ts';
import { withoutSkipped } from './bootstrap-skipped.ts';
import { decodeCluster } from './cluster-decode.ts';
import { decodeControlPlane } from './control-plane-decode.ts';
import { ALL_EXTENSIONS, type ExtensionSupport } from './extension-support.ts';
import { type Decoded, FaultCollector } from './fault.ts';
import { decodeListener } from './listener-decode.ts';
import { MessageReader } from './message-reader.ts';
import { protoJson } from './proto-json.ts';
import { messageType } from './protos.ts';
import { decodeSecret } from './secret-decode.ts';
import { buildMessage } from './strict-builder.ts';
import { isPlainObject } from './struct-json.ts';

const BOOTSTRAP_MESSAGE = 'envoy.config.bootstrap.v3.Bootstrap';

/** Where a sidecar's admin listens unless the file says otherwise. */
const DEFAULT_ADMIN: Address = { kind: 'ip', host: '127.0.0.1', port: 19_000 };

/**
 * An Envoy bootstrap, parsed from JSON or YAML to plain data, checked whole: its static resources are decoded like the
 * ones a control plane sends, and its control servers are looked up among its static clusters.
 */
export function decodeBootstrap(json: unknown, support: ExtensionSupport = ALL_EXTENSIONS): Decoded<BootstrapFile> {
  const { kept, notes } = withoutSkipped(json);
  const built = buildMessage(BOOTSTRAP_MESSAGE, kept, { acceptSingleForList: true });
  if (!built.ok) return built;
  const faults = new FaultCollector();
  const reader = MessageReader.over(messageType(BOOTSTRAP_MESSAGE), built.value, '', faults);
  if (reader === undefined) return { ok: false, faults: faults.list() };
  return faults.decoded({ ...decodeFile(reader, support, staticJson(built.value)), notes });
}

interface StaticJson {
  readonly listeners: readonly unknown[];
  readonly clusters: readonly unknown[];
  readonly secrets: readonly unknown[];
}

/** Static resources in canonical ProtoJSON, lists where lists belong, whatever way the file wrote them. */
function staticJson(bytes: Uint8Array): StaticJson {
  const canonical = protoJson(BOOTSTRAP_MESSAGE, bytes);
  const resources = isPlainObject(canonical) ? canonical['staticResources'] : undefined;
  const listOf = (name: string): readonly unknown[] => {
    const list = isPlainObject(resources) ? resources[name] : undefined;
    return Array.isArray(list) ? list : [];
  };
  return { listeners: listOf('listeners'), clusters: listOf('clusters'), secrets: listOf('secrets') };
}

function decodeFile(reader: MessageReader, support: ExtensionSupport, json: StaticJson): Omit<BootstrapFile, 'notes'> {
  const resources = reader.message('static_resources');
  for (const secret of resources?.messages('secrets') ?? []) decodeSecret(secret);
  const clusters = resources?.messages('clusters').map(decodeCluster) ?? [];
  const listeners = resources?.messages('listeners').map((listener) => decodeListener(listener, support)) ?? [];
  const controlPlane = decodeControlPlane(reader.message('dynamic_resources'), clusters);
  if (controlPlane.servers.length === 0 && listeners.length === 0) {
    reader.fault('', 'has neither dynamic_resources.ads_config nor static listeners: there is nothing to serve');
  }
  if (controlPlane.servers.length > 0 && !controlPlane.subscribes.listeners && listeners.length === 0) {
    reader.fault('dynamic_resources.lds_config', 'must be {ads: {}}, or there must be static listeners to serve');
  }
  return {
    node: decodeNode(reader.message('node'), controlPlane.servers.length > 0, reader),
    admin: decodeAdmin(reader.message('admin')),
    controlServers: controlPlane.servers,
    deltaXds: controlPlane.delta,
    subscribes: controlPlane.subscribes,
    initialFetchTimeoutMs: controlPlane.initialFetchTimeoutMs,
    staticListeners: json.listeners,
    staticClusters: json.clusters,
    staticSecrets: json.secrets,
  };
}

/** A control plane knows a proxy by its node id alone. */
function decodeNode(node: MessageReader | undefined, hasControlPlane: boolean, bootstrap: MessageReader): Node {
  const id = node?.string('id') ?? '';
  if (id === '' && hasControlPlane) bootstrap.fault('node.id', 'must be set: the control plane knows the proxy by it');
  return {
    id,
    cluster: node?.string('cluster') ?? '',
    locality: decodeLocality(node?.message('locality')),
    metadata: node?.struct('metadata') ?? {},
  };
}

function decodeAdmin(admin: MessageReader | undefined): Address {
  const address = admin?.message('address');
  return address === undefined ? DEFAULT_ADMIN : decodeAddress(address);
}
