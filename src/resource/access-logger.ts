/** Access loggers of Envoy, narrowed: where lines go and what stands in them. */
export interface AccessLogger {
  readonly destination:
    | { readonly kind: 'file'; readonly path: string }
    | { readonly kind: 'stdout' }
    | { readonly kind: 'stderr' };
  readonly format: AccessLogFormat;
}

/** envoy.config.core.v3.SubstitutionFormatString; the format strings keep their `%COMMAND%` operators. */
export type AccessLogFormat =
  | { readonly kind: 'default' }
  | { readonly kind: 'text'; readonly text: string; readonly omitEmptyValues: boolean }
  | { readonly kind: 'json'; readonly json: Readonly<Record<string, unknown>>; readonly omitEmptyValues: boolean };
