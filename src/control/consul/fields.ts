import { RE2JS } from 're2js';
import { z } from 'zod';
import { goDurationMs } from '../../base/go-duration.ts';

/**
 * The kinds of field Consul's JSON has. Go leaves out or nulls what is empty, so every reader here takes "absent" and
 * "null" for "not set". Unknown fields are let pass: a newer Consul may know more than we do.
 */

/** Longest text of a name, path, header or filter that is taken from Consul; longer is a mistake or an attack. */
const MAX_TEXT_CHARS = 4_096;
/** Longest regular expression: compiled size grows with it. */
const MAX_REGEX_CHARS = 1_024;
/** Longest list of anything within one entry. */
const MAX_LIST_LENGTH = 10_000;
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

export const text = z
  .string()
  .max(MAX_TEXT_CHARS)
  .nullish()
  .transform((value) => value ?? '');

export const flag = z
  .boolean()
  .nullish()
  .transform((value) => value ?? false);

export const count = z
  .number()
  .int()
  .min(0)
  .nullish()
  .transform((value) => value ?? 0);

export const optionalCount = z
  .number()
  .int()
  .min(0)
  .nullish()
  .transform((value) => (value === null || value === 0 ? undefined : value));

export const port = z
  .number()
  .int()
  .min(0)
  .max(65_535)
  .nullish()
  .transform((value) => value ?? 0);

export const modifyIndex = z
  .number()
  .min(0)
  .nullish()
  .transform((value) => value ?? 0);

export const opaque = z
  .record(z.string(), z.unknown())
  .nullish()
  .transform((value) => value ?? {});

/** A positive duration; 0 and absent are "not set", as everywhere in Consul's entries. */
export const optionalDurationMs = z
  .union([z.string(), z.number()])
  .nullish()
  .transform((value, context) => {
    if (value === null || value === undefined || value === '') return undefined;
    const durationMs = goDurationMs(value);
    if (durationMs === undefined) {
      context.addIssue({ code: 'custom', message: `"${value}" is no duration; write it like "15s" or "250ms"` });
      return z.NEVER;
    }
    return durationMs === 0 ? undefined : durationMs;
  });

export const regex = z
  .string()
  .max(MAX_REGEX_CHARS)
  .superRefine((pattern, context) => {
    try {
      RE2JS.compile(pattern);
    } catch (error) {
      context.addIssue({
        code: 'custom',
        message: `no RE2 regular expression: ${error instanceof Error ? error.message : String(error)}`,
      });
    }
  });

export const mutualTlsMode = z
  .enum(['', 'strict', 'permissive'])
  .nullish()
  .transform((value) => value ?? '');

export const headerName = z.string().max(256).regex(HEADER_NAME, 'no header field name');
export const headerValue = z.string().max(MAX_TEXT_CHARS).regex(HEADER_VALUE, 'control characters in a header value');

/** A list; null and absent are empty. */
export function list<T extends z.ZodType>(item: T) {
  return z
    .array(item)
    .max(MAX_LIST_LENGTH)
    .nullish()
    .transform((value) => value ?? []);
}

/** An object used as a map, as entries in the order of their keys. */
export function sortedEntries<T extends z.ZodType>(item: T) {
  return z
    .record(z.string(), item)
    .nullish()
    .transform((value) => Object.entries(value ?? {}).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}

/** All issues of a failed parse as one line: `Routes[0].Match.HTTP.PathRegex: no RE2 regular expression`. */
export function issuesText(error: z.ZodError): string {
  return error.issues.map((issue) => `${pathText(issue.path)}: ${messageOf(issue)}`).join('; ');
}

/** A bad key of a map hides what is wrong with it one level down. */
function messageOf(issue: z.core.$ZodIssue): string {
  return issue.code === 'invalid_key' ? issue.issues.map(({ message }) => message).join(', ') : issue.message;
}

function pathText(path: readonly PropertyKey[]): string {
  if (path.length === 0) return 'the whole';
  return path
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
    .join('')
    .replace(/^\./, '');
}
