import { z } from 'zod';
import type {
  HeaderMatch,
  HeaderModifiers,
  HttpMatch,
  QueryParameterMatch,
  TextMatch,
} from '../translate/config-entries.ts';
import { count, flag, headerName, headerValue, list, optionalDurationMs, regex, text } from './fields.ts';

const METHOD = /^[A-Za-z]{1,32}$/;
/** Consul wants the weights of a splitter to make 100; floats written by hand rarely do exactly. */
const WEIGHT_TOLERANCE = 0.01;

const NO_MODIFIERS: HeaderModifiers = { add: [], set: [], remove: [] };

const modifiedName = headerName.refine((name) => name.toLowerCase() !== 'host', 'the host header cannot be modified');

const headerPairs = z
  .record(modifiedName, headerValue)
  .nullish()
  .transform((value) => Object.entries(value ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)));

export const headerModifiers = z
  .object({ Add: headerPairs, Set: headerPairs, Remove: list(modifiedName) })
  .nullish()
  .transform(
    (value): HeaderModifiers =>
      value === null || value === undefined ? NO_MODIFIERS : { add: value.Add, set: value.Set, remove: value.Remove },
  );

const optionalRegex = regex.nullish().transform((value) => value ?? '');

const headerMatch = z
  .object({
    Name: headerName,
    Present: flag,
    Exact: text,
    Prefix: text,
    Suffix: text,
    Contains: text,
    Regex: optionalRegex,
    Invert: flag,
    IgnoreCase: flag,
  })
  .transform((header, context): HeaderMatch => {
    const match = oneMatch(header, context);
    return { name: header.Name.toLowerCase(), match, invert: header.Invert, ignoreCase: header.IgnoreCase };
  });

const queryParameterMatch = z
  .object({ Name: z.string().min(1).max(256), Present: flag, Exact: text, Regex: optionalRegex })
  .transform(
    (parameter, context): QueryParameterMatch => ({ name: parameter.Name, match: oneMatch(parameter, context) }),
  );

interface WrittenMatch {
  readonly Present: boolean;
  readonly Exact: string;
  readonly Prefix?: string;
  readonly Suffix?: string;
  readonly Contains?: string;
  readonly Regex: string;
}

/** Exactly one of the ways to match, as Consul demands. */
function oneMatch(written: WrittenMatch, context: z.core.$RefinementCtx): TextMatch {
  const ways: TextMatch[] = [];
  if (written.Present) ways.push({ kind: 'present' });
  if (written.Exact !== '') ways.push({ kind: 'exact', value: written.Exact });
  if (written.Prefix) ways.push({ kind: 'prefix', value: written.Prefix });
  if (written.Suffix) ways.push({ kind: 'suffix', value: written.Suffix });
  if (written.Contains) ways.push({ kind: 'contains', value: written.Contains });
  if (written.Regex !== '') ways.push({ kind: 'regex', value: written.Regex });
  const [only] = ways;
  if (only === undefined || ways.length > 1) {
    context.addIssue({
      code: 'custom',
      message: `needs exactly one of Present, Exact, Prefix, Suffix, Contains, Regex; has ${ways.length}`,
    });
    return z.NEVER;
  }
  return only;
}

const path = text.refine((value) => value === '' || value.startsWith('/'), 'a path begins with "/"');

const ANY_REQUEST: HttpMatch = {
  path: { kind: 'any' },
  caseInsensitive: false,
  headers: [],
  queryParameters: [],
  methods: [],
};

const httpMatch = z
  .object({
    PathExact: path,
    PathPrefix: path,
    PathRegex: optionalRegex,
    CaseInsensitive: flag,
    Header: list(headerMatch),
    QueryParam: list(queryParameterMatch),
    Methods: list(z.string().regex(METHOD, 'no HTTP method')),
  })
  .transform((match, context): HttpMatch => {
    const paths: HttpMatch['path'][] = [];
    if (match.PathExact !== '') paths.push({ kind: 'exact', value: match.PathExact });
    if (match.PathPrefix !== '') paths.push({ kind: 'prefix', value: match.PathPrefix });
    if (match.PathRegex !== '') paths.push({ kind: 'regex', value: match.PathRegex });
    if (paths.length > 1) {
      context.addIssue({ code: 'custom', message: 'only one of PathExact, PathPrefix, PathRegex can be set' });
      return z.NEVER;
    }
    return {
      path: paths[0] ?? { kind: 'any' },
      caseInsensitive: match.CaseInsensitive,
      headers: match.Header,
      queryParameters: match.QueryParam,
      methods: match.Methods.map((method) => method.toUpperCase()),
    };
  });

const routeMatch = z
  .object({ HTTP: httpMatch.nullish() })
  .nullish()
  .transform((match) => match?.HTTP ?? ANY_REQUEST);

/** A negative one is Consul's way to want none. */
const routeTimeoutMs = optionalDurationMs.transform((timeoutMs) =>
  timeoutMs !== undefined && timeoutMs < 0 ? 0 : timeoutMs,
);

const destinationFields = z.object({
  Service: text,
  ServiceSubset: text,
  PrefixRewrite: path,
  RequestTimeout: routeTimeoutMs,
  IdleTimeout: routeTimeoutMs,
  NumRetries: count,
  RetryOnConnectFailure: flag,
  RetryOn: list(z.string().regex(/^[a-z0-9-]{1,64}$/, 'no retry condition')),
  RetryOnStatusCodes: list(z.number().int().min(100).max(599)),
  RequestHeaders: headerModifiers,
  ResponseHeaders: headerModifiers,
});

const routeDestination = destinationFields
  .nullish()
  .transform((value) => value ?? destinationFields.parse({}))
  .transform((destination) => ({
    service: destination.Service,
    serviceSubset: destination.ServiceSubset,
    prefixRewrite: destination.PrefixRewrite,
    requestTimeoutMs: destination.RequestTimeout,
    idleTimeoutMs: destination.IdleTimeout,
    numRetries: destination.NumRetries,
    retryOnConnectFailure: destination.RetryOnConnectFailure,
    retryOn: destination.RetryOn,
    retryOnStatusCodes: destination.RetryOnStatusCodes,
    requestHeaders: destination.RequestHeaders,
    responseHeaders: destination.ResponseHeaders,
  }));

export const serviceRouter = z
  .object({ Routes: list(z.object({ Match: routeMatch, Destination: routeDestination })) })
  .transform((entry) => ({
    routes: entry.Routes.map((route) => ({ match: route.Match, destination: route.Destination })),
  }));

const split = z
  .object({
    Weight: z.number().min(0).max(100).nullish(),
    Service: text,
    ServiceSubset: text,
    RequestHeaders: headerModifiers,
    ResponseHeaders: headerModifiers,
  })
  .transform((value) => ({
    weight: value.Weight ?? 0,
    service: value.Service,
    serviceSubset: value.ServiceSubset,
    requestHeaders: value.RequestHeaders,
    responseHeaders: value.ResponseHeaders,
  }));

export const serviceSplitter = z
  .object({ Splits: list(split) })
  .transform((entry) => ({ splits: entry.Splits }))
  .refine((entry) => Math.abs(entry.splits.reduce((sum, { weight }) => sum + weight, 0) - 100) < WEIGHT_TOLERANCE, {
    path: ['Splits'],
    message: 'the weights must add up to 100',
  });
