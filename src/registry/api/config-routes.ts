/** `/v1/config…`: config entries. */
import { ApiError } from '../api-error.ts';
import { deleteConfigEntry, kindNamed, readConfigEntry, writeConfigEntry } from '../config-entry/config-entry.ts';
import { type ConfigEntryRow, configEntryTopic, configKindTopic } from '../state/config-entries.ts';
import type { RegistryState } from '../state/registry-state.ts';
import {
  type Answer,
  type ApiRequest,
  type IndexedQuery,
  indexParameter,
  jsonBody,
  parameter,
  type Route,
} from './exchange.ts';

/** More entries than any mesh on one machine has. */
const MAX_ENTRIES = 20_000;

export function configRoutes(state: RegistryState): Route[] {
  return [
    { methods: ['PUT'], path: '/v1/config', endpoint: (request) => put(state, request) },
    { methods: ['GET'], path: '/v1/config/:kind', endpoint: (request) => list(state, request) },
    { methods: ['GET'], path: '/v1/config/:kind/:name*', endpoint: (request) => get(state, request) },
    { methods: ['DELETE'], path: '/v1/config/:kind/:name*', endpoint: (request) => remove(state, request) },
    {
      methods: ['DELETE'],
      path: '/v1/config/:kind',
      endpoint: () => {
        throw new ApiError(404, 'Must provide both a kind and name to delete');
      },
    },
  ];
}

function put(state: RegistryState, request: ApiRequest): Answer {
  const entry = readConfigEntry(jsonBody(request, 'Request decoding failed'));
  if (state.configEntries.count() >= MAX_ENTRIES && state.configEntries.get(entry.Kind, entry.Name) === undefined) {
    throw new ApiError(500, `this agent holds ${MAX_ENTRIES} config entries already; delete some first`);
  }
  return { json: writeConfigEntry(state.configEntries, entry, indexParameter(request, 'cas')) };
}

function list(state: RegistryState, request: ApiRequest): IndexedQuery {
  const kind = kindNamed(parameter(request, 0), 500).kind;
  return {
    kind: 'indexed',
    topics: [configKindTopic(kind)],
    answer: () => ({ json: state.configEntries.list(kind).map(shown) }),
  };
}

/** The mesh entry has no name to show. */
function shown({ Name, ...fields }: ConfigEntryRow): object {
  return fields.Kind === 'mesh' ? fields : { Name, ...fields };
}

function get(state: RegistryState, request: ApiRequest): IndexedQuery {
  const kind = kindNamed(parameter(request, 0), 500).kind;
  const name = parameter(request, 1);
  return {
    kind: 'indexed',
    topics: [configEntryTopic(kind, name)],
    answer: () => {
      const row = state.configEntries.get(kind, name);
      if (row !== undefined) return { json: shown(row) };
      return { status: 404, text: `Config entry not found for ${JSON.stringify(kind)} / ${JSON.stringify(name)}` };
    },
  };
}

function remove(state: RegistryState, request: ApiRequest): Answer {
  const expectedIndex = indexParameter(request, 'cas');
  const deleted = deleteConfigEntry(state.configEntries, parameter(request, 0), parameter(request, 1), expectedIndex);
  return { json: expectedIndex === undefined ? {} : deleted };
}
