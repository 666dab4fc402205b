/** `/v1/discovery-chain/:service`: the entries about a service, compiled to the graph that its requests pass through. */
import { goDurationMs } from '../../base/go-duration.ts';
import { ChainFault, type ChainOverrides, NO_OVERRIDES } from '../../discovery-chain/discovery-chain.ts';
import { ApiError } from '../api-error.ts';
import { chainAnswer } from '../config-entry/chain-answer.ts';
import { viewOf } from '../config-entry/config-entry.ts';
import { textField } from '../input/fields.ts';
import { canonical, isJsonObject, type Shape, type ShapeFaults } from '../input/shape.ts';
import { configKindTopic } from '../state/config-entries.ts';
import type { RegistryState } from '../state/registry-state.ts';
import { type ApiRequest, type IndexedQuery, jsonBody, parameter, type Route } from './exchange.ts';

const ENTRY_KINDS = ['proxy-defaults', 'service-defaults', 'service-router', 'service-splitter', 'service-resolver'];
const GATEWAY_MODES = ['', 'none', 'local', 'remote'];

const OVERRIDES: Shape = {
  fields: {
    OverrideMeshGateway: { fields: { Mode: 'string' } },
    OverrideProtocol: 'string',
    OverrideConnectTimeout: 'any',
  },
};

export function discoveryChainRoutes(state: RegistryState): Route[] {
  const endpoint = (request: ApiRequest): IndexedQuery => chain(state, request);
  return [{ methods: ['GET', 'POST'], path: '/v1/discovery-chain/:name*', endpoint }];
}

function chain(state: RegistryState, request: ApiRequest): IndexedQuery {
  const service = parameter(request, 0);
  if (service === '') throw new ApiError(400, 'Missing chain name');
  const datacenter = request.query.get('compile-dc') || state.datacenter;
  const overrides = request.method === 'POST' ? readOverrides(request) : NO_OVERRIDES;
  return {
    kind: 'indexed',
    topics: ENTRY_KINDS.map(configKindTopic),
    answer: () => {
      try {
        const view = viewOf(state.configEntries);
        const { trustDomain } = state.connectCa;
        return { json: { Chain: chainAnswer({ service, datacenter, overrides }, view, trustDomain) } };
      } catch (error) {
        if (error instanceof ChainFault) throw new ApiError(500, error.message);
        throw error;
      }
    },
  };
}

function readOverrides(request: ApiRequest): ChainOverrides {
  const refuse = (reason: string): ApiError => new ApiError(400, `Request decoding failed: ${reason}`);
  const faults: ShapeFaults = { wrong: [], unknown: [] };
  const fields = canonical(jsonBody(request, 'Request decoding failed'), OVERRIDES, '', faults);
  if (faults.wrong.length > 0) throw refuse(faults.wrong.join('; '));
  if (!isJsonObject(fields)) return NO_OVERRIDES;
  const timeout = fields['OverrideConnectTimeout'] ?? 0;
  const connectTimeoutMs =
    timeout === '' ? 0 : typeof timeout === 'string' || typeof timeout === 'number' ? goDurationMs(timeout) : undefined;
  if (connectTimeoutMs === undefined)
    throw refuse(`OverrideConnectTimeout: invalid duration ${JSON.stringify(timeout)}`);
  const gateway = fields['OverrideMeshGateway'];
  const meshGatewayMode = isJsonObject(gateway) ? textField(gateway, 'Mode') : '';
  if (!GATEWAY_MODES.includes(meshGatewayMode)) throw new ApiError(400, 'Invalid OverrideMeshGateway.Mode parameter');
  return { protocol: textField(fields, 'OverrideProtocol'), connectTimeoutMs, meshGatewayMode };
}
