import { z } from 'zod';
import type { AllIntentions, Intention, IntentionHeader, IntentionPermission } from '../translate/intentions.ts';
import { count, flag, headerName, issuesText, list, modifyIndex, regex, text } from './fields.ts';

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

const source = z
  .object({
    Name: z.string().min(1),
    Peer: text,
    Action: z.union([z.literal(''), action]).nullish(),
    Permissions: list(permission),
    Precedence: count,
  })
  .transform((read, context) => {
    const rest = { source: read.Name, sourcePeer: read.Peer, precedence: read.Precedence };
    if (read.Permissions.length > 0) {
      return { ...rest, decision: { kind: 'permissions' as const, permissions: read.Permissions } };
    }
    if (read.Action) return { ...rest, decision: { kind: read.Action } };
    context.addIssue({ code: 'custom', message: 'has neither an action nor permissions' });
    return z.NEVER;
  });

const entry = z
  .object({ Name: z.string().min(1), Sources: list(source), JWT: jwt, ModifyIndex: modifyIndex })
  .transform(({ Name: destination, Sources: sources, JWT: jwtProviders, ModifyIndex: index }) => ({
    destination,
    intentions: sources.map((read): Intention => ({ ...read, destination, jwtProviders, modifyIndex: index })),
  }));

/**
 * Reads `/v1/config/service-intentions`. One that cannot be read makes the whole unreadable: to leave one out would be to
 * decide differently.
 */
export function parseIntentions(body: unknown, defaultPolicy: string): AllIntentions {
  const read = list(entry).safeParse(body);
  if (!read.success) throw new Error(`intentions that cannot be read: ${issuesText(read.error)}`);
  return {
    byDestination: new Map(read.data.map(({ destination, intentions }) => [destination, intentions])),
    defaultPolicy: defaultPolicy === 'allow' || defaultPolicy === 'deny' ? defaultPolicy : 'unknown',
  };
}
