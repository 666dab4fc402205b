/** `/v1/…/connect/ca/…`: the mesh's certificate authority. */
import { ApiError } from '../api-error.ts';
import { CA_ROOTS_TOPIC, leafTopic } from '../connect-ca/connect-ca.ts';
import { isJsonObject } from '../input/shape.ts';
import type { RegistryState } from '../state/registry-state.ts';
import { type Answer, type ApiRequest, type IndexedQuery, jsonBody, parameter, type Route } from './exchange.ts';

export function caRoutes(state: RegistryState): Route[] {
  const get = ['GET'];
  const configuration = '/v1/connect/ca/configuration';
  return [
    { methods: get, path: '/v1/connect/ca/roots', endpoint: () => roots(state) },
    { methods: get, path: '/v1/agent/connect/ca/roots', endpoint: () => roots(state) },
    { methods: get, path: '/v1/agent/connect/ca/leaf/:service', endpoint: (request) => leaf(state, request) },
    { methods: ['PUT'], path: configuration, endpoint: (request) => configure(state, request) },
  ];
}

function roots(state: RegistryState): IndexedQuery {
  return { kind: 'indexed', topics: [CA_ROOTS_TOPIC], answer: () => ({ json: state.connectCa.roots() }) };
}

/** Asking makes one, and renews one that is due. */
async function leaf(state: RegistryState, request: ApiRequest): Promise<IndexedQuery> {
  const service = parameter(request, 0);
  if (service === '') throw new ApiError(500, 'URI must be either service, agent, server, or kind');
  await state.connectCa.ensureLeaf(service);
  return { kind: 'indexed', topics: [leafTopic(service)], answer: () => ({ json: state.connectCa.leaf(service) }) };
}

/** Of Consul's settings the size of the root's key is obeyed: another one makes another root. */
async function configure(state: RegistryState, request: ApiRequest): Promise<Answer> {
  const body = jsonBody(request);
  const config = isJsonObject(body) ? body['Config'] : undefined;
  if (!isJsonObject(body) || body['Provider'] !== 'consul' || !isJsonObject(config)) {
    throw new ApiError(500, 'the registry\'s certificate authority has the provider "consul" alone');
  }
  const bits = config['PrivateKeyBits'];
  if (bits !== 256 && bits !== 384) throw new ApiError(500, 'EC key length must be one of (256, 384) bits');
  await state.connectCa.configure(bits);
  return {};
}
