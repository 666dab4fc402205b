/** `/v1/connect/…`, `/v1/status/…`, `/v1/query…`: the rest of what a mesh asks for. */
import { ApiError } from '../api-error.ts';
import { textField } from '../input/fields.ts';
import { isJsonObject, type JsonObject } from '../input/shape.ts';
import { aggregateStatus } from '../state/catalog-rows.ts';
import { configKindTopic } from '../state/config-entries.ts';
import type { PreparedQueryRow } from '../state/prepared-queries.ts';
import type { RegistryState } from '../state/registry-state.ts';
import { type Answer, type ApiRequest, type IndexedQuery, jsonBody, parameter, type Route } from './exchange.ts';
import { instanceView } from './health-routes.ts';

export function connectRoutes(state: RegistryState): Route[] {
  const get = ['GET'];
  return [
    { methods: get, path: '/v1/connect/intentions', endpoint: () => intentions(state) },
    { methods: get, path: '/v1/connect/intentions/match', endpoint: (request) => matchIntentions(state, request) },
    { methods: get, path: '/v1/connect/intentions/check', endpoint: (request) => checkIntention(state, request) },
    { methods: get, path: '/v1/status/leader', endpoint: () => ({ json: raftAddress(state) }) },
    { methods: get, path: '/v1/status/peers', endpoint: () => ({ json: [raftAddress(state)] }) },
    { methods: get, path: '/v1/query', endpoint: () => queries(state) },
    { methods: ['POST'], path: '/v1/query', endpoint: (request) => createQuery(state, request) },
    { methods: get, path: '/v1/query/:id', endpoint: (request) => readQuery(state, request) },
    { methods: ['PUT'], path: '/v1/query/:id', endpoint: (request) => updateQuery(state, request) },
    { methods: ['DELETE'], path: '/v1/query/:id', endpoint: (request) => deleteQuery(state, request) },
    { methods: get, path: '/v1/query/:id/execute', endpoint: (request) => executeQuery(state, request) },
  ];
}

/** Config entries of kind service-intentions, one row for each source, as the older endpoint shows them. */
function intentionRows(state: RegistryState): JsonObject[] {
  return state.configEntries.list('service-intentions').flatMap((entry) => {
    const sources = entry['Sources'];
    return (Array.isArray(sources) ? sources.filter(isJsonObject) : []).map((source) => ({
      ...(source['Description'] === undefined ? {} : { Description: source['Description'] }),
      SourceNS: 'default',
      SourceName: source['Name'],
      DestinationNS: 'default',
      DestinationName: entry.Name,
      SourceType: 'consul',
      Action: source['Action'] ?? '',
      ...(source['Permissions'] === undefined ? {} : { Permissions: source['Permissions'] }),
      ...(entry['Meta'] === undefined ? {} : { Meta: entry['Meta'] }),
      Precedence: source['Precedence'],
      CreateIndex: entry.CreateIndex,
      ModifyIndex: entry.ModifyIndex,
    }));
  });
}

/** Strongest first; among equals, as Consul breaks the tie, by source and then by destination. */
function byPrecedence(a: JsonObject, b: JsonObject): number {
  const places = (row: JsonObject): string => JSON.stringify([row['SourceName'], row['DestinationName']]);
  const [first, second] = [places(a), places(b)];
  return Number(b['Precedence']) - Number(a['Precedence']) || (first < second ? -1 : first > second ? 1 : 0);
}

function intentions(state: RegistryState): IndexedQuery {
  return {
    kind: 'indexed',
    topics: [configKindTopic('service-intentions')],
    answer: () => ({ json: intentionRows(state).sort(byPrecedence) }),
  };
}

function matchIntentions(state: RegistryState, request: ApiRequest): IndexedQuery {
  const by = request.query.get('by');
  if (by === null) throw new ApiError(500, `required query parameter 'by' not set`);
  if (by !== 'source' && by !== 'destination') {
    throw new ApiError(500, `'by' parameter must be one of 'source' or 'destination'`);
  }
  const names = request.query.getAll('name');
  if (names.length === 0) throw new ApiError(500, `required query parameter 'name' not set`);
  const field = by === 'source' ? 'SourceName' : 'DestinationName';
  return {
    kind: 'indexed',
    topics: [configKindTopic('service-intentions')],
    answer: () => {
      const rows = intentionRows(state).sort(byPrecedence);
      const matching = (name: string): JsonObject[] => rows.filter((row) => row[field] === name || row[field] === '*');
      return { json: Object.fromEntries(names.map((name) => [name, matching(name)])) };
    },
  };
}

/** The strongest intention decides. None, as without ACLs: allowed. Permissions need a request to judge, and here there is none. */
function checkIntention(state: RegistryState, request: ApiRequest): Answer {
  const source = requiredParameter(request, 'source');
  const destination = requiredParameter(request, 'destination');
  const matches = (value: unknown, name: string): boolean => value === name || value === '*';
  const [strongest] = intentionRows(state)
    .filter((row) => matches(row['SourceName'], source) && matches(row['DestinationName'], destination))
    .sort(byPrecedence);
  return { json: { Allowed: strongest === undefined || strongest['Action'] === 'allow' } };
}

function requiredParameter(request: ApiRequest, name: string): string {
  const text = request.query.get(name);
  if (text === null || text === '') throw new ApiError(500, `required query parameter '${name}' not set`);
  return text;
}

function raftAddress(state: RegistryState): string {
  return `${state.advertiseAddress}:8300`;
}

function queries(state: RegistryState): IndexedQuery {
  return { kind: 'indexed', topics: ['prepared-queries'], answer: () => ({ json: state.preparedQueries.list() }) };
}

function createQuery(state: RegistryState, request: ApiRequest): Answer {
  const fields = readQueryFields(request);
  if (fields.Name !== '' && state.preparedQueries.named(fields.Name) !== undefined) {
    throw new ApiError(500, `raft apply failed: name '${fields.Name}' aliases an existing query name`);
  }
  return { json: { ID: state.preparedQueries.put(fields).ID } };
}

function updateQuery(state: RegistryState, request: ApiRequest): Answer {
  const known = existingQuery(state, parameter(request, 0));
  state.preparedQueries.put(readQueryFields(request), known.ID);
  return {};
}

function readQuery(state: RegistryState, request: ApiRequest): IndexedQuery {
  return {
    kind: 'indexed',
    topics: ['prepared-queries'],
    answer: () => {
      const row = state.preparedQueries.get(parameter(request, 0));
      return row === undefined ? { status: 404, text: 'Query not found' } : { json: [row] };
    },
  };
}

function deleteQuery(state: RegistryState, request: ApiRequest): Answer {
  state.preparedQueries.delete(existingQuery(state, parameter(request, 0)).ID);
  return {};
}

function existingQuery(state: RegistryState, id: string): PreparedQueryRow {
  const row = state.preparedQueries.get(id);
  if (row === undefined) throw new ApiError(404, 'Query not found');
  return row;
}

function readQueryFields(request: ApiRequest): Pick<PreparedQueryRow, 'Name' | 'Service' | 'DNS'> {
  const body = jsonBody(request);
  if (!isJsonObject(body) || [textField(body, 'Name'), textField(body, 'Session')].every((text) => text === '')) {
    throw new ApiError(500, 'Invalid prepared query: Must be bound to a session');
  }
  const service = body['Service'];
  if (!isJsonObject(service) || textField(service, 'Service') === '') {
    throw new ApiError(500, 'Invalid prepared query: Must provide a Service name to query');
  }
  const dns = body['DNS'];
  return { Name: textField(body, 'Name'), Service: service, DNS: isJsonObject(dns) ? dns : { TTL: '' } };
}

/** The index of an execution says nothing and never moves. */
const EXECUTION_HEADERS = { 'x-consul-index': '1', 'x-consul-knownleader': 'true', 'x-consul-lastcontact': '0' };

/** Healthy instances at this moment; Consul does not let anyone wait here either. */
function executeQuery(state: RegistryState, request: ApiRequest): Answer {
  const row = state.preparedQueries.named(parameter(request, 0));
  if (row === undefined) return { status: 404, text: 'Query not found', headers: EXECUTION_HEADERS };
  const name = textField(row.Service, 'Service');
  const connect = row.Service['Connect'] === true || request.query.get('connect') === 'true';
  const onlyPassing = row.Service['OnlyPassing'] === true;
  const tags = Array.isArray(row.Service['Tags']) ? row.Service['Tags'].map((tag) => String(tag)) : [];
  const all = connect ? state.catalog.connectInstancesOf(name) : state.catalog.instancesOf(name);
  const healthy = all
    .filter(({ service }) =>
      tags.every((tag) => (tag.startsWith('!') ? !service.Tags.includes(tag.slice(1)) : service.Tags.includes(tag))),
    )
    .map((instance) => instanceView(state, instance))
    .filter((view) => {
      const status = aggregateStatus(view.Checks);
      return status === 'passing' || (status === 'warning' && !onlyPassing);
    });
  return {
    headers: EXECUTION_HEADERS,
    json: {
      Service: name,
      Nodes: healthy,
      DNS: row.DNS,
      Datacenter: state.datacenter,
      Failovers: 0,
      Index: 1,
      KnownLeader: true,
      ConsistencyLevel: 'leader',
    },
  };
}
