import { parseHealth, parseNodeServices } from '../consul/parse-catalog.ts';
import { type EntryOfKind, parseConfigEntries } from '../consul/parse-config-entries.ts';
import type { Json } from '../snapshot/resource-literal.ts';
import { CONFIG_ENTRY_KINDS, type ConfigEntryKind } from '../translate/config-entries.ts';
import {
  type ConfigEntries,
  type MutualTlsTerms,
  type ProxyRegistration,
  type ServiceHealth,
  serviceId,
  type TranslatedProxy,
  translateProxy,
} from '../translate/translate.ts';

/** Tests of translation are written in Consul's own JSON and read through the same door as the real thing. */
export type Entry = Readonly<Record<string, unknown>> & { readonly Kind: ConfigEntryKind; readonly Name: string };

export const TRUST_DOMAIN = 'mesh.consul';

/** Config entries as `/v1/config/:kind` gives them; throws where one of them does not parse. */
export function entries(...written: readonly Entry[]): ConfigEntries {
  const read = <K extends ConfigEntryKind>(kind: K): ReadonlyMap<string, EntryOfKind[K]> => {
    const body = written.filter(({ Kind }) => Kind === kind).map((entry) => ({ ModifyIndex: 7, ...entry }));
    const parsed = parseConfigEntries(kind, body, undefined);
    if (parsed.problems.length > 0) throw new Error(parsed.problems.map(({ message }) => message).join('\n'));
    return parsed.entries;
  };
  if (written.some(({ Kind }) => !CONFIG_ENTRY_KINDS.includes(Kind)))
    throw new Error('an entry of a kind we do not read');
  return {
    proxyDefaults: read('proxy-defaults').get('global'),
    mesh: read('mesh').get('mesh'),
    serviceDefaults: read('service-defaults'),
    serviceRouters: read('service-router'),
    serviceSplitters: read('service-splitter'),
    serviceResolvers: read('service-resolver'),
  };
}

/** The sidecar of `web` as a node's services list it, with changes to its proxy block. */
export function registration(proxy: Json = {}, service: Json = {}): ProxyRegistration {
  const body = {
    Node: { Node: 'n1', Address: '10.0.0.1', Datacenter: 'dc1' },
    Services: [
      {
        Kind: 'connect-proxy',
        ID: 'web-1-sidecar-proxy',
        Service: 'web-sidecar-proxy',
        Address: '10.0.0.1',
        Port: 21_000,
        ModifyIndex: 5,
        Proxy: {
          DestinationServiceName: 'web',
          DestinationServiceID: 'web-1',
          LocalServiceAddress: '127.0.0.1',
          LocalServicePort: 8080,
          Upstreams: [{ DestinationType: 'service', DestinationName: 'api', LocalBindPort: 9191 }],
          ...proxy,
        },
        ...service,
      },
    ],
  };
  const { proxies, problems } = parseNodeServices(body, undefined);
  const found = proxies.get(serviceId('web-1-sidecar-proxy'));
  if (found === undefined)
    throw new Error(
      [...problems.values()]
        .flat()
        .map(({ message }) => message)
        .join('\n'),
    );
  return found;
}

export const HTTP_MESH: Entry = { Kind: 'proxy-defaults', Name: 'global', Config: { protocol: 'http' } };

/** Translates web's sidecar under these entries. */
export function translated(proxy: ProxyRegistration, ...written: readonly Entry[]): TranslatedProxy {
  return translateProxy({ registration: proxy, entries: entries(...written), trustDomain: TRUST_DOMAIN });
}

/** The same in a mesh with mutual TLS. */
export function secured(
  proxy: ProxyRegistration,
  mutualTls: MutualTlsTerms,
  ...written: readonly Entry[]
): TranslatedProxy {
  return translateProxy({ registration: proxy, entries: entries(...written), trustDomain: TRUST_DOMAIN, mutualTls });
}

/** One resource's ProtoJSON, by the end of its type's name and its own. */
export function resource(proxy: TranslatedProxy, type: string, name: string): Json | undefined {
  return proxy.units
    .flatMap(({ resources }) => resources)
    .find((r) => r.typeUrl.endsWith(`.${type}`) && r.name === name)?.json;
}

/** Everything translated, by type and name. */
export function resourceNames(proxy: TranslatedProxy): readonly string[] {
  return proxy.units.flatMap(({ resources }) =>
    resources.map(({ typeUrl, name }) => `${typeUrl.slice(typeUrl.lastIndexOf('.') + 1)} ${name}`),
  );
}

export interface InstanceOptions {
  readonly address?: string;
  readonly checks?: readonly string[];
  readonly weights?: { readonly Passing: number; readonly Warning: number };
  readonly zone?: string;
}

/** Instances as `/v1/health/connect/:service` lists them. */
export function health(...instances: readonly InstanceOptions[]): ServiceHealth {
  const body = instances.map(({ address = '10.0.0.2:21000', checks = ['passing'], weights, zone }, at) => {
    const colon = address.lastIndexOf(':');
    return {
      Node: { Node: `n${at}`, Address: '10.0.0.9', Datacenter: 'dc1' },
      Service: {
        ID: `api-${at}-sidecar-proxy`,
        Service: 'api-sidecar-proxy',
        Address: address.slice(0, colon),
        Port: Number(address.slice(colon + 1)),
        Weights: weights,
        Locality: zone === undefined ? null : { Region: 'r1', Zone: zone },
      },
      Checks: checks.map((Status) => ({ Status })),
    };
  });
  return parseHealth('api', body);
}
