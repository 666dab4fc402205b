import { HEADER_NAME } from './header-mutation-decode.ts';
import type { MessageReader } from './message-reader.ts';
import type { GrpcUpstreamService, HeaderPair } from './upstream-service.ts';

const NOWHERE: GrpcUpstreamService = { clusterName: '', authority: '', timeoutMs: 0, initialMetadata: [] };

/**
 * envoy.config.core.v3.GrpcService: a service behind one of the sidecar's own clusters. Calls are bounded and made once, so
 * that retries are refused rather than passed over.
 */
export function decodeGrpcUpstreamService(
  reader: MessageReader | undefined,
  defaultTimeoutMs: number,
): GrpcUpstreamService {
  if (reader === undefined) return NOWHERE;
  reader.refuse('google_grpc', 'retry_policy');
  const grpc = reader.requiredMessage('envoy_grpc');
  grpc?.refuse('retry_policy');
  const clusterName = grpc?.requiredString('cluster_name') ?? '';
  const authority = grpc === undefined ? '' : authorityIn(grpc, 'authority');
  return {
    clusterName,
    authority: authority === '' ? clusterName : authority,
    timeoutMs: reader.positiveDurationMs('timeout') ?? defaultTimeoutMs,
    initialMetadata: reader.messages('initial_metadata').map(decodeHeaderPair),
  };
}

/** envoy.config.core.v3.HeaderValue as it stands: nothing is formatted into it. */
export function decodeHeaderPair(reader: MessageReader): HeaderPair {
  const name = reader.requiredString('key').toLowerCase();
  const raw = reader.bytes('raw_value');
  const value = raw.length > 0 ? Buffer.from(raw).toString('latin1') : reader.string('value');
  if (name !== '' && !HEADER_NAME.test(name)) reader.fault('key', `${JSON.stringify(name)} is not a header name`);
  if (!/^[ -~]*$/.test(value)) reader.fault('value', 'must be visible ASCII');
  if (value.includes('%')) reader.fault('value', 'command operators are not supported; remove it');
  return { name, value };
}

/** Text that may stand in `:authority`. */
export function authorityIn(reader: MessageReader, field: string): string {
  const authority = reader.string(field);
  if (!/^[!-~]*$/.test(authority)) reader.fault(field, 'must be visible ASCII without white space');
  return authority;
}
