/**
 * xDS v3 transport: the two halves of a discovery stream around the types they share. `server/` sends each connected node what a
 * snapshot source says it should hold; `client/` asks control servers for what its owner wants. Both know type URLs, versions, nonces,
 * subscriptions and gRPC. Neither knows what a resource means, where it comes from or what becomes of it.
 *
 * The halves have doors of their own, so that a program loads only the one it is: `server/server.ts` and `client/client.ts`.
 */
export { type EncodedResource, encodedResource, type ResourceParts } from './encoded-resource.ts';
export { encodeFields, firstStringField, type WireField } from './wire.ts';
