import type { HeaderFields } from '../header-fields.ts';

const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

/** grpc: PROTOCOL-HTTP2.md, Timeout: at most eight digits and one unit. Milliseconds, or undefined where it is anything else. */
export function parseGrpcTimeout(text: string): number | undefined {
  const unitMs = UNIT_MS[text.slice(-1)];
  const digits = text.slice(0, -1);
  return unitMs === undefined || !/^\d{1,8}$/.test(digits) ? undefined : Number(digits) * unitMs;
}

/** What a call says of its deadline; undefined where it says nothing that could be relied on. */
export function grpcTimeoutMs(fields: HeaderFields): number | undefined {
  const at = fields.indexOf('grpc-timeout');
  // Of two that differ nobody knows which one the server obeys.
  if (at < 0 || fields.indexOf('grpc-timeout', at + 1) >= 0) return undefined;
  return parseGrpcTimeout(fields.valueAt(at));
}
