import type { TranslatedUnit } from '../../../src/control/translate/translate.ts';
import type { ClusterView, RoutesView, RouteView, SplitView } from './routes-view.ts';
import { retryView } from './routes-view.ts';

type Json = Readonly<Record<string, unknown>>;

/** What the resources of one upstream say. Clusters are told without the digest that sets a customised one apart. */
export function translatedView({ resources, endpointGroups }: TranslatedUnit, protocol: string): RoutesView {
  const ofType = (type: string): readonly Json[] =>
    resources.filter(({ typeUrl }) => typeUrl.endsWith(`.${type}`)).map(({ json }) => json as Json);
  const [configuration] = ofType('RouteConfiguration');
  const groups = new Map(endpointGroups.map((group) => [group.name, group]));
  const clusters = ofType('Cluster').map((cluster): readonly [string, ClusterView] => {
    const name = plainName(cluster['name']);
    const group = groups.get(text(field(cluster, 'edsClusterConfig', 'serviceName'), name));
    if (group === undefined) throw new Error(`cluster ${name} without endpoints`);
    const source = (of: typeof group | NonNullable<typeof group.failover>[number]) => ({
      service: of.query.service,
      datacenter: of.query.datacenter,
      filter: of.query.filter,
      onlyPassing: of.onlyPassing,
    });
    return [
      name,
      {
        connectTimeout: text(cluster['connectTimeout']),
        lbPolicy: text(cluster['lbPolicy']),
        source: source(group),
        failover: (group.failover ?? []).map(source),
      },
    ];
  });
  const routes = configuration === undefined ? [] : list(list(configuration['virtualHosts'])[0]?.['routes']);
  return { protocol, routes: routes.map(routeView), clusters: Object.fromEntries(clusters) };
}

function routeView(route: Json): RouteView {
  const action = route['route'] as Json;
  const retry = action['retryPolicy'] as Json;
  return {
    match: route['match'],
    splits: splitViews(action),
    timeout: text(action['timeout'], 'default'),
    idleTimeout: text(action['idleTimeout'], 'default'),
    prefixRewrite: rewriteView(action),
    headers: headersView(route),
    retry: retryView(
      Number(retry['numRetries']),
      text(retry['retryOn']).split(','),
      (retry['retriableStatusCodes'] ?? []) as readonly number[],
    ),
    hashPolicy: action['hashPolicy'] ?? [],
  };
}

/** A prefix that is taken away whole goes with the slash after it, which takes a pattern. */
function rewriteView(action: Json): string {
  if (action['regexRewrite'] === undefined) return text(action['prefixRewrite']);
  return field(action, 'regexRewrite', 'substitution') === '/\\1' ? '/' : 'another';
}

function splitViews(action: Json): readonly SplitView[] {
  if (action['cluster'] !== undefined) {
    return [{ cluster: plainName(action['cluster']), weight: 10_000, headers: {} }];
  }
  return list(field(action, 'weightedClusters', 'clusters')).map((split) => ({
    cluster: plainName(split['name']),
    weight: Number(split['weight']),
    headers: headersView(split),
  }));
}

function headersView(holder: Json): unknown {
  const changes = (side: 'request' | 'response'): object[] => [
    ...list(holder[`${side}HeadersToAdd`]).map((option) => {
      const pair = [field(option, 'header', 'key'), field(option, 'header', 'value')];
      return option['appendAction'] === 'OVERWRITE_IF_EXISTS_OR_ADD' ? { set: pair } : { add: pair };
    }),
    ...((holder[`${side}HeadersToRemove`] ?? []) as readonly string[]).map((remove) => ({ remove })),
  ];
  return { request: changes('request'), response: changes('response') };
}

function plainName(name: unknown): string {
  return text(name).replace(/^[0-9a-f]{8}~/, '');
}

function list(value: unknown): readonly Json[] {
  return (value ?? []) as readonly Json[];
}

function field(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>((here, key) => (here as Json | undefined)?.[key], value);
}

function text(value: unknown, otherwise = ''): string {
  return typeof value === 'string' ? value : otherwise;
}
