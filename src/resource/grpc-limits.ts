import type { MessageReader } from './message-reader.ts';
import { type MetadataLimit, type MetadataLimits, readMetadataLimits } from './metadata-limits.ts';
import type { FilterMetadata } from './route-configuration.ts';

/** Bounds on the messages of gRPC calls, which Envoy's configuration has no word for. */
export type GrpcLimitName = 'maxRequestMessageBytes' | 'maxResponseMessageBytes';

export type GrpcLimitValues = MetadataLimits<GrpcLimitName>['values'];

/** Where the metadata of a listener, and of a route of its own, holds them. */
export const GRPC_LIMITS_METADATA = 'weft.grpc_limits';

/** As far as the length in front of a message can say (grpc: PROTOCOL-HTTP2.md). */
export const LARGEST_GRPC_MESSAGE_BYTES = 2 ** 32 - 1;

const KEYS: ReadonlyMap<string, MetadataLimit<GrpcLimitName>> = new Map([
  ['max_request_message_bytes', { name: 'maxRequestMessageBytes', smallest: 1, largest: LARGEST_GRPC_MESSAGE_BYTES }],
  ['max_response_message_bytes', { name: 'maxResponseMessageBytes', smallest: 1, largest: LARGEST_GRPC_MESSAGE_BYTES }],
]);

export function readGrpcLimits(metadata: FilterMetadata): MetadataLimits<GrpcLimitName> {
  return readMetadataLimits(metadata, GRPC_LIMITS_METADATA, KEYS);
}

/** Faults what the metadata of the message that is read says of these limits and cannot be obeyed. */
export function checkGrpcLimits(reader: MessageReader, metadata: FilterMetadata): void {
  for (const { key, problem } of readGrpcLimits(metadata).problems) {
    reader.fault(`metadata.filter_metadata[${GRPC_LIMITS_METADATA}].${key}`, problem);
  }
}
