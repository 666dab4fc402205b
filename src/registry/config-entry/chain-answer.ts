/** A compiled chain in the form of Consul's `/v1/discovery-chain/:service`. */
import { formatGoDuration } from '../../base/go-duration.ts';
import {
  type ChainNode,
  type ChainOverrides,
  type ChainTarget,
  type CompiledChain,
  compileChain,
} from '../../discovery-chain/discovery-chain.ts';
import type { JsonObject } from '../input/shape.ts';
import { isJsonObject } from '../input/shape.ts';
import { chainEntries, type EntryView, failoverPolicy } from './chain-entries.ts';
import { customizationHash } from './customization-hash.ts';

export interface ChainQuestion {
  readonly service: string;
  readonly datacenter: string;
  readonly overrides: ChainOverrides;
}

type Chain = CompiledChain<JsonObject, JsonObject, JsonObject>;

export function chainAnswer(question: ChainQuestion, view: EntryView, trustDomain: string): JsonObject {
  const chain = compileChain(question, chainEntries(view));
  const defaults = view.get('service-defaults', chain.service);
  const extensions = [view.get('proxy-defaults', 'global'), defaults].flatMap((entry) => {
    const list = entry?.['EnvoyExtensions'];
    return Array.isArray(list) ? list : [];
  });
  return {
    ServiceName: chain.service,
    Namespace: 'default',
    Partition: 'default',
    Datacenter: chain.datacenter,
    ...(isCustomized(chain) ? { CustomizationHash: hashOf(chain, question.overrides) } : {}),
    ...(chain.isDefault ? { Default: true } : {}),
    Protocol: chain.protocol,
    ...(isJsonObject(defaults?.['Meta']) ? { ServiceMeta: defaults['Meta'] } : {}),
    ...(extensions.length === 0 ? {} : { EnvoyExtensions: extensions }),
    StartNode: chain.startNode,
    Nodes: sortedObject([...chain.nodes].map(([key, node]) => [key, nodeJson(node, chain, view)])),
    Targets: sortedObject([...chain.targets].map(([id, target]) => [id, targetJson(target, view, trustDomain)])),
    AutoVirtualIPs: null,
    ManualVirtualIPs: null,
  };
}

/** Whether any entry at all has a say in the chain; where none has, Consul answers as if the thing were not there yet. */
export function isCustomized({ customizedBy }: Chain): boolean {
  return customizedBy.connectTimeout || customizedBy.meshGateway || customizedBy.protocol;
}

function hashOf({ customizedBy }: Chain, overrides: ChainOverrides): string {
  return customizationHash({
    meshGatewayMode: customizedBy.meshGateway ? overrides.meshGatewayMode : '',
    protocol: customizedBy.protocol ? overrides.protocol : '',
    connectTimeoutNanos: customizedBy.connectTimeout ? overrides.connectTimeoutMs * 1e6 : 0,
  });
}

function nodeJson(node: ChainNode<JsonObject, JsonObject, JsonObject>, chain: Chain, view: EntryView): JsonObject {
  const head = { Type: node.type, Name: node.name };
  switch (node.type) {
    case 'router':
      return {
        ...head,
        Routes: node.routes.map(({ definition, nextNode }) => ({
          Definition: definition ?? catchAll(chain.service),
          NextNode: nextNode,
        })),
      };
    case 'splitter':
      return {
        ...head,
        Splits: node.splits.map(({ definition, weight, nextNode }) => ({
          Definition: definition,
          ...(weight === 0 ? {} : { Weight: weight }),
          NextNode: nextNode,
        })),
        ...(node.loadBalancer === undefined ? {} : { LoadBalancer: node.loadBalancer }),
      };
    case 'resolver': {
      const target = chain.targets.get(node.target);
      const policy = failoverPolicy(view, target?.service ?? '', target?.subset ?? '');
      const failover = { Targets: node.failover, ...(policy === undefined ? {} : { Policy: policy }) };
      return {
        ...head,
        Resolver: {
          ...(node.isDefault ? { Default: true } : {}),
          ConnectTimeout: durationText(node.connectTimeoutMs),
          ...(node.requestTimeoutMs === 0 ? {} : { RequestTimeout: Math.round(node.requestTimeoutMs * 1e6) }),
          Target: node.target,
          ...(node.failover.length === 0 ? {} : { Failover: failover }),
        },
        ...(node.loadBalancer === undefined ? {} : { LoadBalancer: node.loadBalancer }),
      };
    }
  }
}

function catchAll(service: string): JsonObject {
  return {
    Match: { HTTP: { PathPrefix: '/' } },
    Destination: { Service: service, Namespace: 'default', Partition: 'default' },
  };
}

function targetJson(target: ChainTarget, view: EntryView, trustDomain: string): JsonObject {
  const { service, subset, datacenter, peer } = target;
  const name = `${subset === '' ? '' : `${subset}.`}${service}.default.${datacenter}.internal.${trustDomain}`;
  const subsets = view.get('service-resolver', service)?.['Subsets'];
  const sni = target.externalSni === '' ? name : target.externalSni;
  return {
    ConnectTimeout: durationText(target.connectTimeoutMs),
    ID: target.id,
    Service: service,
    ...(subset === '' ? {} : { ServiceSubset: subset }),
    Namespace: 'default',
    Partition: 'default',
    ...(datacenter === '' ? {} : { Datacenter: datacenter }),
    ...(peer === '' ? {} : { Peer: peer }),
    MeshGateway: target.meshGatewayMode === '' ? {} : { Mode: target.meshGatewayMode },
    Subset: isJsonObject(subsets) && isJsonObject(subsets[subset]) ? subsets[subset] : {},
    TransparentProxy: target.dialedDirectly ? { DialedDirectly: true } : {},
    ...(target.externalSni === '' ? {} : { External: true }),
    ...(peer === '' ? { SNI: sni, Name: name } : {}),
  };
}

function durationText(milliseconds: number): string {
  return formatGoDuration(Math.round(milliseconds * 1e6));
}

function sortedObject(entries: readonly (readonly [string, JsonObject])[]): JsonObject {
  return Object.fromEntries([...entries].sort(([a], [b]) => (a < b ? -1 : 1)));
}
