import type { TransportFacts } from '../../../transport-socket/transport-socket.ts';
import type { FieldSource } from '../effective-fields.ts';
import type { StreamMetadata } from '../stream-metadata.ts';

/** What rules are matched against: a connection, and for HTTP the request on it as filters before have left it. */
export interface RbacSubject {
  readonly transport: TransportFacts;
  /** What the client asked for by SNI, '' where it did not. */
  readonly serverName: string;
  readonly directRemoteAddress: string;
  readonly remoteAddress: string;
  readonly destinationAddress: string;
  readonly destinationPort: number;
  /** undefined: there is no request, only a connection. */
  readonly request: FieldSource | undefined;
  /** What filters before have said about the request. */
  readonly metadata?: StreamMetadata | undefined;
}
