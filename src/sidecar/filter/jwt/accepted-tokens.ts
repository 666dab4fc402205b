import type { FilterStream } from '../filter-stream.ts';
import { StreamMetadata } from '../stream-metadata.ts';
import type { AcceptedToken } from './requirement.ts';
import { removeToken } from './token-locations.ts';

/** Under this name Envoy keeps payloads, whatever a chain calls the filter. */
const METADATA_NAME = 'envoy.filters.http.jwt_authn';

/** What verified tokens do to their request: later filters and the upstream see the payload, and the token is taken out. */
export function acceptTokens(stream: FilterStream, accepted: readonly AcceptedToken[]): void {
  for (const { jwt, verifier } of accepted) {
    const { provider } = verifier;
    if (provider.payloadInMetadata !== '') {
      stream.metadata ??= new StreamMetadata();
      const payload = withLists(jwt.claims, provider.spaceDelimitedClaims);
      stream.metadata.set(METADATA_NAME, provider.payloadInMetadata, payload);
    }
    if (provider.forwardPayloadHeader !== '') {
      const payload = provider.padsForwardedPayload ? padded(jwt.encodedPayload) : jwt.encodedPayload;
      stream.requestEdits.set(stream.head.fields, provider.forwardPayloadHeader, payload);
    }
  }
  for (const { found, verifier } of accepted) if (!verifier.provider.forward) removeToken(stream, found.location);
}

function withLists(
  claims: Readonly<Record<string, unknown>>,
  names: readonly string[],
): Readonly<Record<string, unknown>> {
  if (names.length === 0) return claims;
  const changed = new Map(Object.entries(claims));
  for (const name of names) {
    const value = changed.get(name);
    if (typeof value === 'string')
      changed.set(
        name,
        value.split(' ').filter((part) => part !== ''),
      );
  }
  return Object.fromEntries(changed);
}

function padded(encoded: string): string {
  return encoded.padEnd(Math.ceil(encoded.length / 4) * 4, '=');
}
