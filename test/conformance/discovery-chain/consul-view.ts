import { parseGoDurationMs } from '../../../src/base/go-duration.ts';
import type { ClusterView, RetryView, RoutesView, RouteView, SourceView, SplitView } from './routes-view.ts';
import { retryView } from './routes-view.ts';

/** Consul's answer, as far as a proxy is concerned. What says nothing is absent from it. */
export interface ConsulChain {
  readonly Protocol: string;
  readonly StartNode: string;
  readonly Nodes: Readonly<Record<string, ConsulNode>>;
  readonly Targets: Readonly<Record<string, ConsulTarget>>;
}

interface ConsulNode {
  readonly Type: 'router' | 'splitter' | 'resolver';
  readonly Routes?: readonly { readonly Definition?: Definition; readonly NextNode: string }[];
  readonly Splits?: readonly { readonly Definition?: Headers; readonly Weight?: number; readonly NextNode: string }[];
  readonly Resolver?: {
    readonly Target: string;
    readonly ConnectTimeout: string;
    /** Nanoseconds. */
    readonly RequestTimeout?: number;
    readonly Failover?: { readonly Targets: readonly string[] };
  };
  readonly LoadBalancer?: { readonly Policy?: string; readonly HashPolicies?: readonly HashPolicy[] };
}

interface ConsulTarget {
  readonly Name: string;
  readonly Service: string;
  readonly Datacenter?: string;
  readonly Peer?: string;
  readonly Subset?: { readonly Filter?: string; readonly OnlyPassing?: boolean };
}

interface Modifiers {
  readonly Add?: Readonly<Record<string, string>>;
  readonly Set?: Readonly<Record<string, string>>;
  readonly Remove?: readonly string[];
}

interface Headers {
  readonly RequestHeaders?: Modifiers;
  readonly ResponseHeaders?: Modifiers;
}

interface Definition {
  readonly Match?: { readonly HTTP?: HttpMatch };
  readonly Destination?: Headers & {
    readonly PrefixRewrite?: string;
    readonly RequestTimeout?: string;
    readonly IdleTimeout?: string;
    readonly NumRetries?: number;
    readonly RetryOnConnectFailure?: boolean;
    readonly RetryOn?: readonly string[];
    readonly RetryOnStatusCodes?: readonly number[];
  };
}

interface TextWays {
  readonly Name: string;
  readonly Present?: boolean;
  readonly Exact?: string;
  readonly Prefix?: string;
  readonly Suffix?: string;
  readonly Regex?: string;
  readonly Invert?: boolean;
}

interface HttpMatch {
  readonly PathExact?: string;
  readonly PathPrefix?: string;
  readonly PathRegex?: string;
  readonly CaseInsensitive?: boolean;
  readonly Header?: readonly TextWays[];
  readonly QueryParam?: readonly TextWays[];
  readonly Methods?: readonly string[];
}

interface HashPolicy {
  readonly Field?: string;
  readonly FieldValue?: string;
  readonly CookieConfig?: { readonly Session?: boolean; readonly TTL?: number; readonly Path?: string };
  readonly SourceIP?: boolean;
  readonly Terminal?: boolean;
}

/** Written from Consul's documentation and from what its own proxies are given, not from our translation. */
export function consulView(chain: ConsulChain): RoutesView {
  const start = nodeOf(chain, chain.StartNode);
  const routes =
    start.Type === 'router'
      ? (start.Routes ?? []).map(({ Definition, NextNode }) => routeView(chain, NextNode, Definition ?? {}, 0))
      : [routeView(chain, chain.StartNode, {}, start.Resolver?.RequestTimeout ?? 0)];
  return { protocol: chain.Protocol, routes, clusters: clusterViews(chain) };
}

/** Peers are beyond us: a chain that leads to one is refused by name, a failover to one is left out by name. */
export function leadsToPeer(chain: ConsulChain): boolean {
  return Object.values(chain.Nodes).some(({ Resolver }) => {
    return Resolver !== undefined && chain.Targets[Resolver.Target]?.Peer !== undefined;
  });
}

function routeView(
  chain: ConsulChain,
  next: string,
  { Match, Destination }: Definition,
  startNanos: number,
): RouteView {
  const timeout = Destination?.RequestTimeout ?? (startNanos === 0 ? undefined : `${startNanos}ns`);
  const isHashing = ['ring_hash', 'maglev'].includes(nodeOf(chain, next).LoadBalancer?.Policy ?? '');
  return {
    match: matchView(Match?.HTTP ?? {}),
    splits: splitViews(chain, next),
    timeout: durationView(timeout),
    idleTimeout: durationView(Destination?.IdleTimeout),
    prefixRewrite: Destination?.PrefixRewrite ?? '',
    headers: headersView(Destination ?? {}),
    retry: Destination === undefined ? undefined : askedRetry(Destination),
    hashPolicy: isHashing ? (nodeOf(chain, next).LoadBalancer?.HashPolicies ?? []).map(hashView) : [],
  };
}

function splitViews(chain: ConsulChain, key: string): readonly SplitView[] {
  const node = nodeOf(chain, key);
  if (node.Type !== 'splitter') return [{ cluster: nameOf(chain, key), weight: 10_000, headers: {} }];
  return (node.Splits ?? []).map(({ Definition, Weight = 0, NextNode }) => ({
    cluster: nameOf(chain, NextNode),
    weight: Math.round(Weight * 100),
    headers: headersView(Definition ?? {}),
  }));
}

function matchView(http: HttpMatch): unknown {
  const path =
    http.PathExact !== undefined
      ? { path: http.PathExact }
      : http.PathRegex !== undefined
        ? { safeRegex: { regex: http.PathRegex } }
        : { prefix: http.PathPrefix ?? '/' };
  const headers: object[] = (http.Header ?? []).map((header) => ({
    name: header.Name.toLowerCase(),
    ...textView(header),
    ...(header.Invert === true ? { invertMatch: true } : {}),
  }));
  const methods = (http.Methods ?? []).map((method) => method.toUpperCase());
  const [only] = methods;
  if (methods.length > 1) headers.push({ name: ':method', stringMatch: { safeRegex: { regex: methods.join('|') } } });
  else if (only !== undefined) headers.push({ name: ':method', stringMatch: { exact: only } });
  const queryParameters = (http.QueryParam ?? []).map((query) => ({ name: query.Name, ...textView(query) }));
  return {
    ...path,
    // A regular expression has a case of its own.
    ...(http.CaseInsensitive === true && http.PathRegex === undefined ? { caseSensitive: false } : {}),
    ...(headers.length === 0 ? {} : { headers }),
    ...(queryParameters.length === 0 ? {} : { queryParameters }),
  };
}

function textView({ Exact, Regex, Prefix, Suffix }: TextWays): object {
  if (Exact !== undefined) return { stringMatch: { exact: Exact } };
  if (Regex !== undefined) return { stringMatch: { safeRegex: { regex: Regex } } };
  if (Prefix !== undefined) return { stringMatch: { prefix: Prefix } };
  return Suffix === undefined ? { presentMatch: true } : { stringMatch: { suffix: Suffix } };
}

function headersView({ RequestHeaders = {}, ResponseHeaders = {} }: Headers): unknown {
  const changes = (modifiers: Modifiers): object[] => [
    ...sorted(modifiers.Add).map((pair) => ({ add: pair })),
    ...sorted(modifiers.Set).map((pair) => ({ set: pair })),
    ...(modifiers.Remove ?? []).map((remove) => ({ remove })),
  ];
  return { request: changes(RequestHeaders), response: changes(ResponseHeaders) };
}

function sorted(pairs: Readonly<Record<string, string>> = {}): readonly (readonly [string, string])[] {
  return Object.entries(pairs).sort(([a], [b]) => (a < b ? -1 : 1));
}

function askedRetry(destination: NonNullable<Definition['Destination']>): RetryView | undefined {
  const { NumRetries = 0, RetryOnConnectFailure = false, RetryOn = [], RetryOnStatusCodes = [] } = destination;
  const asks = NumRetries > 0 || RetryOnConnectFailure || RetryOn.length > 0 || RetryOnStatusCodes.length > 0;
  if (!asks) return undefined;
  const retryOn = RetryOnStatusCodes.length === 0 ? RetryOn : [...RetryOn, 'retriable-status-codes'];
  return retryView(Math.max(1, NumRetries), retryOn, RetryOnStatusCodes);
}

function hashView({ Field, FieldValue, CookieConfig, SourceIP, Terminal }: HashPolicy): unknown {
  const terminal = Terminal === true ? { terminal: true } : {};
  if (SourceIP === true) return { connectionProperties: { sourceIp: true }, ...terminal };
  if (Field === 'header') return { header: { headerName: FieldValue }, ...terminal };
  if (Field === 'query_parameter') return { queryParameter: { name: FieldValue }, ...terminal };
  const ttl =
    CookieConfig?.Session === true ? '0s' : CookieConfig?.TTL === undefined ? undefined : `${CookieConfig.TTL / 1e9}s`;
  const path = CookieConfig?.Path;
  return {
    cookie: { name: FieldValue, ...(ttl === undefined ? {} : { ttl }), ...(path === undefined ? {} : { path }) },
    ...terminal,
  };
}

function clusterViews(chain: ConsulChain): Readonly<Record<string, ClusterView>> {
  const resolvers = Object.values(chain.Nodes).filter(({ Resolver }) => Resolver !== undefined);
  return Object.fromEntries(
    resolvers.map(({ Resolver, LoadBalancer }) => {
      const target = targetOf(chain, Resolver?.Target ?? '');
      const failover = (Resolver?.Failover?.Targets ?? []).map((id) => targetOf(chain, id));
      return [
        target.Name,
        {
          connectTimeout: durationView(Resolver?.ConnectTimeout),
          lbPolicy: (LoadBalancer?.Policy ?? 'round_robin').toUpperCase(),
          source: sourceView(target),
          failover: failover.filter(({ Peer }) => Peer === undefined).map(sourceView),
        },
      ];
    }),
  );
}

function sourceView({ Service, Datacenter = '', Subset }: ConsulTarget): SourceView {
  return {
    service: Service,
    datacenter: Datacenter,
    filter: Subset?.Filter ?? '',
    onlyPassing: Subset?.OnlyPassing ?? false,
  };
}

function durationView(text: string | undefined): string {
  if (text === undefined) return 'default';
  return `${Math.max(0, parseGoDurationMs(text) ?? Number.NaN) / 1000}s`;
}

function nameOf(chain: ConsulChain, resolver: string): string {
  return targetOf(chain, nodeOf(chain, resolver).Resolver?.Target ?? '').Name;
}

function nodeOf(chain: ConsulChain, key: string): ConsulNode {
  const node = chain.Nodes[key];
  if (node === undefined) throw new Error(`no node ${key}`);
  return node;
}

function targetOf(chain: ConsulChain, id: string): ConsulTarget {
  const target = chain.Targets[id];
  if (target === undefined) throw new Error(`no target ${id}`);
  return target;
}
