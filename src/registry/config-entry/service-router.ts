import { isJsonObject, type JsonObject } from '../input/shape.ts';
import { COMMON_FIELDS, type ConfigEntryKind, HEADER_MODIFIERS, isSet, objects } from './kind.ts';

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE']);
const RETRY_CONDITIONS = new Set([
  '5xx',
  'gateway-error',
  'reset',
  'connect-failure',
  'envoy-ratelimited',
  'retriable-4xx',
  'refused-stream',
  'cancelled',
  'deadline-exceeded',
  'internal',
  'resource-exhausted',
  'unavailable',
]);

export const SERVICE_ROUTER: ConfigEntryKind = {
  kind: 'service-router',
  shape: {
    fields: {
      ...COMMON_FIELDS,
      Routes: {
        list: {
          fields: {
            Match: {
              fields: {
                HTTP: {
                  fields: {
                    PathExact: 'string',
                    PathPrefix: 'string',
                    PathRegex: 'string',
                    CaseInsensitive: 'boolean',
                    Header: {
                      list: {
                        fields: {
                          Name: 'string',
                          Present: 'boolean',
                          Exact: 'string',
                          Prefix: 'string',
                          Suffix: 'string',
                          Regex: 'string',
                          Invert: 'boolean',
                        },
                      },
                    },
                    QueryParam: {
                      list: { fields: { Name: 'string', Present: 'boolean', Exact: 'string', Regex: 'string' } },
                    },
                    Methods: { list: 'string' },
                  },
                },
              },
            },
            Destination: {
              fields: {
                Service: 'string',
                ServiceSubset: 'string',
                Namespace: 'string',
                Partition: 'string',
                PrefixRewrite: 'string',
                RequestTimeout: 'duration',
                IdleTimeout: 'duration',
                NumRetries: 'integer',
                RetryOnConnectFailure: 'boolean',
                RetryOn: { list: 'string' },
                RetryOnStatusCodes: { list: 'integer' },
                RequestHeaders: HEADER_MODIFIERS,
                ResponseHeaders: HEADER_MODIFIERS,
              },
            },
          },
        },
      },
    },
  },
  defaults: { Routes: [] },
  normalize: (entry) => ({ ...entry, Routes: objects(entry['Routes']).map(upperCaseMethods) }),
  validate: (entry) => objects(entry['Routes']).flatMap((route, at) => routeFaults(route, at)),
};

function upperCaseMethods(route: JsonObject): JsonObject {
  const match = route['Match'];
  const http = isJsonObject(match) ? match['HTTP'] : undefined;
  if (!isJsonObject(http) || !Array.isArray(http['Methods'])) return route;
  const methods = http['Methods'].map((method) => String(method).toUpperCase());
  return { ...route, Match: { HTTP: { ...http, Methods: methods } } };
}

function routeFaults(route: JsonObject, at: number): string[] {
  const match = route['Match'];
  const http = isJsonObject(match) && isJsonObject(match['HTTP']) ? match['HTTP'] : {};
  const destination = isJsonObject(route['Destination']) ? route['Destination'] : {};
  const faults = matchFaults(http, at);
  const hasPath = isSet(http['PathExact']) || isSet(http['PathPrefix']);
  if (isSet(destination['PrefixRewrite']) && !hasPath) {
    faults.push(`Route[${at}] cannot make use of PrefixRewrite without configuring either PathExact or PathPrefix`);
  }
  const retryOn = destination['RetryOn'];
  for (const condition of Array.isArray(retryOn) ? retryOn : []) {
    if (!RETRY_CONDITIONS.has(String(condition))) {
      faults.push(`Route[${at}] contains an invalid retry condition: ${JSON.stringify(condition)}`);
    }
  }
  return faults;
}

function matchFaults(http: JsonObject, at: number): string[] {
  const faults: string[] = [];
  const paths = ['PathExact', 'PathPrefix', 'PathRegex'].filter((field) => isSet(http[field]));
  if (paths.length > 1) {
    faults.push(`Route[${at}] should only contain at most one of PathExact, PathPrefix, or PathRegex`);
  }
  for (const field of ['PathExact', 'PathPrefix']) {
    const value = http[field];
    if (isSet(value) && !String(value).startsWith('/')) {
      faults.push(`Route[${at}] ${field} doesn't start with '/': ${JSON.stringify(value)}`);
    }
  }
  objects(http['Header']).forEach((header, index) => {
    if (!isSet(header['Name'])) faults.push(`Route[${at}] Header[${index}] missing required Name field`);
    const set = ['Present', 'Exact', 'Prefix', 'Suffix', 'Regex'].filter((field) => isSet(header[field]));
    if (set.length !== 1) {
      faults.push(`Route[${at}] Header[${index}] should only contain one of Present, Exact, Prefix, Suffix, or Regex`);
    }
  });
  objects(http['QueryParam']).forEach((parameter, index) => {
    if (!isSet(parameter['Name'])) faults.push(`Route[${at}] QueryParam[${index}] missing required Name field`);
    const set = ['Present', 'Exact', 'Regex'].filter((field) => isSet(parameter[field]));
    if (set.length !== 1) {
      faults.push(`Route[${at}] QueryParam[${index}] should only contain one of Present, Exact, or Regex`);
    }
  });
  const seen = new Set<unknown>();
  for (const method of Array.isArray(http['Methods']) ? http['Methods'] : []) {
    if (!METHODS.has(String(method))) {
      faults.push(`Route[${at}] Methods contains an invalid method ${JSON.stringify(method)}`);
    }
    if (seen.has(method)) faults.push(`Route[${at}] Methods contains ${JSON.stringify(method)} more than once`);
    seen.add(method);
  }
  return faults;
}
