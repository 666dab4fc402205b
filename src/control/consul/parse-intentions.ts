import { z } from 'zod';
import type { Intention, IntentionHeader, IntentionPermission, ServiceIntentions } from '../translate/intentions.ts';
import { count, flag, headerName, list, modifyIndex, regex, text } from './fields.ts';

const action = z.enum(['allow', 'deny']);
const jwt = z
  .object({ Providers: list(z.object({ Name: z.string().min(1) })) })
  .nullish()
  .transform((value) => (value?.Providers ?? []).map(({ Name: name }) => name));

const optionalRegex = z.union([z.literal(''), regex]).nullish();

const header = z
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
  .transform((read, context): IntentionHeader => {
    const rest = { name: read.Name, isInverted: read.Invert, ignoresCase: read.IgnoreCase };
    if (read.Present) return { ...rest, kind: 'present', value: '' };
    if (read.Exact !== '') return { ...rest, kind: 'exact', value: read.Exact };
    if (read.Prefix !== '') return { ...rest, kind: 'prefix', value: read.Prefix };
    if (read.Suffix !== '') return { ...rest, kind: 'suffix', value: read.Suffix };
    if (read.Contains !== '') return { ...rest, kind: 'contains', value: read.Contains };
    if (read.Regex) return { ...rest, kind: 'regex', value: read.Regex };
    context.addIssue({ code: 'custom', message: 'says nothing about the header' });
    return z.NEVER;
  });

const permission = z
  .object({
    Action: action,
    HTTP: z
      .object({
        PathExact: text,
        PathPrefix: text,
        PathRegex: optionalRegex,
        Methods: list(z.string()),
        Header: list(header),
      })
      .nullish(),
    JWT: jwt,
  })
  .transform(
    ({ Action: decided, HTTP: http, JWT: jwtProviders }): IntentionPermission => ({
      action: decided,
      path: pathOf(http ?? {}),
      methods: http?.Methods ?? [],
      headers: http?.Header ?? [],
      jwtProviders,
    }),
  );

function pathOf(http: {
  readonly PathExact?: string;
  readonly PathPrefix?: string;
  readonly PathRegex?: string | null | undefined;
}): IntentionPermission['path'] {
  if (http.PathExact) return { kind: 'exact', value: http.PathExact };
  if (http.PathPrefix) return { kind: 'prefix', value: http.PathPrefix };
  if (http.PathRegex) return { kind: 'regex', value: http.PathRegex };
  return { kind: 'any', value: '' };
}

const intention = z
  .object({
    SourceName: z.string().min(1),
    SourcePeer: text,
    DestinationName: z.string().min(1),
    Action: z.union([z.literal(''), action]).nullish(),
    Permissions: list(permission),
    JWT: jwt,
    Precedence: count,
    ModifyIndex: modifyIndex,
  })
  .transform((read, context): Intention => {
    const rest = {
      source: read.SourceName,
      sourcePeer: read.SourcePeer,
      destination: read.DestinationName,
      jwtProviders: read.JWT,
      precedence: read.Precedence,
      modifyIndex: read.ModifyIndex,
    };
    if (read.Permissions.length > 0) {
      return { ...rest, decision: { kind: 'permissions', permissions: read.Permissions } };
    }
    if (read.Action) return { ...rest, decision: { kind: read.Action } };
    context.addIssue({ code: 'custom', message: 'has neither an action nor permissions' });
    return z.NEVER;
  });

/**
 * Reads `/v1/connect/intentions/match?by=destination`. One that cannot be read makes the whole unreadable: to leave one out
 * would be to decide differently.
 */
export function parseIntentions(service: string, body: unknown, defaultPolicy: string): ServiceIntentions {
  const rows = z.record(z.string(), list(intention)).parse(body)[service] ?? [];
  return {
    // Consul's own order within a precedence is kept.
    intentions: [...rows].sort((a, b) => b.precedence - a.precedence),
    defaultPolicy: defaultPolicy === 'allow' || defaultPolicy === 'deny' ? defaultPolicy : 'unknown',
  };
}
