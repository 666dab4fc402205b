/** `/v1/health/…`: instances with the checks that decide over them. */
import { ApiError } from '../api-error.ts';
import { aggregateStatus, type CheckRow, type ServiceInstance } from '../state/catalog-rows.ts';
import type { RegistryState } from '../state/registry-state.ts';
import { filterOf, nodeMetaFilter, tagFilter } from './catalog-routes.ts';
import { type ApiRequest, type IndexedQuery, parameter, type Route } from './exchange.ts';
import { CHECK_SELECTORS, INSTANCE_SELECTORS } from './selectors.ts';

export function healthRoutes(state: RegistryState): Route[] {
  const methods = ['GET'];
  return [
    { methods, path: '/v1/health/service/:name', endpoint: (request) => instances(state, request, false) },
    { methods, path: '/v1/health/connect/:name', endpoint: (request) => instances(state, request, true) },
    { methods, path: '/v1/health/ingress/:name', endpoint: () => ({ json: [] }) },
    { methods, path: '/v1/health/checks/:name', endpoint: (request) => checksOfService(state, request) },
    { methods, path: '/v1/health/node/:node', endpoint: (request) => checksOfNode(state, request) },
    { methods, path: '/v1/health/state/:state', endpoint: (request) => checksInState(state, request) },
  ];
}

export interface InstanceView {
  readonly Node: unknown;
  readonly Service: unknown;
  readonly Checks: readonly CheckRow[];
}

export function instanceView(state: RegistryState, instance: ServiceInstance): InstanceView {
  return {
    Node: state.catalog.node(instance.node) ?? null,
    Service: instance.service,
    Checks: state.catalog.checksDeciding(instance),
  };
}

function instances(state: RegistryState, request: ApiRequest, connect: boolean): IndexedQuery {
  const name = parameter(request, 0);
  if (name === '') throw new ApiError(400, 'Missing service name');
  const accepts = filterOf(request, INSTANCE_SELECTORS);
  const hasTags = tagFilter(request);
  const hasMeta = nodeMetaFilter(request);
  const onlyPassing = isPassingWanted(request);
  return {
    kind: 'indexed',
    topics: [connect ? `connect:${name}` : `service:${name}`],
    answer: () => {
      const all = connect ? state.catalog.connectInstancesOf(name) : state.catalog.instancesOf(name);
      const views = all
        .filter((instance) => hasTags(instance) && hasMeta(state.catalog.node(instance.node)))
        .map((instance) => instanceView(state, instance));
      return {
        json: views.filter((view) => (!onlyPassing || aggregateStatus(view.Checks) === 'passing') && accepts(view)),
      };
    },
  };
}

/** `?passing`, `?passing=1`, `?passing=true`: yes. `?passing=false`: no. Anything else is refused as Consul does. */
function isPassingWanted(request: ApiRequest): boolean {
  const text = request.query.get('passing');
  if (text === null) return false;
  if (['', '1', 't', 'T', 'true', 'TRUE', 'True'].includes(text)) return true;
  if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(text)) return false;
  throw new ApiError(400, 'Invalid value for ?passing');
}

function checksOfService(state: RegistryState, request: ApiRequest): IndexedQuery {
  const name = parameter(request, 0);
  const accepts = filterOf(request, CHECK_SELECTORS);
  return {
    kind: 'indexed',
    topics: [`service:${name}`],
    answer: () => {
      const all = state.catalog
        .instancesOf(name)
        .flatMap((instance) => state.catalog.checksOf(instance.node, instance.service.ID));
      return { json: all.filter(accepts) };
    },
  };
}

function checksOfNode(state: RegistryState, request: ApiRequest): IndexedQuery {
  const name = state.catalog.nodeNamed(parameter(request, 0))?.Node ?? parameter(request, 0);
  const accepts = filterOf(request, CHECK_SELECTORS);
  return {
    kind: 'indexed',
    topics: [`node-checks:${name}`],
    answer: () => ({ json: state.catalog.checksOn(name).filter(accepts) }),
  };
}

function checksInState(state: RegistryState, request: ApiRequest): IndexedQuery {
  const wanted = parameter(request, 0);
  if (wanted === '') throw new ApiError(400, 'Missing check state');
  const accepts = filterOf(request, CHECK_SELECTORS);
  return {
    kind: 'indexed',
    topics: ['checks'],
    answer: () => {
      const all = state.catalog.allChecks().filter((check) => wanted === 'any' || check.Status === wanted);
      return { json: all.filter(accepts) };
    },
  };
}
