/**
 * The vocabulary of both planes. One file per resource type holds readonly plain data that can be cloned to a worker as it
 * is (`listener.ts`, `cluster.ts`, …), and a `-decode.ts` beside it turns wire bytes into it: Envoy's defaults filled in,
 * every fault listed with its field path, what Weft does not obey refused by name where reading past it would change whom
 * a proxy trusts, where a request goes or what an application sees. The way back is the strict builder, which makes message
 * bytes from canonical ProtoJSON and refuses what `proto/` does not have.
 *
 * This room knows the messages of `proto/`. It does not know who sends them, when, or what becomes of them: no streams, no
 * versions, no files beyond the protos themselves, no clock, no sockets. Whether the things that resources name exist is
 * for those who hold them all.
 */

export { decodeBootstrap } from './bootstrap-decode.ts';
export {
  decodeResource,
  decodeStaticJson,
  isResourceType,
  type ResourceOfType,
  resourceName,
  sameBytes,
} from './decode.ts';
export {
  decodeAccessLogger,
  decodeHttpFilterConfig,
  decodeNetworkFilterConfig,
  decodeRouteFilterConfig,
} from './decode-extension.ts';
export { ALL_EXTENSIONS, type ExtensionSupport, ROUTER_FILTER } from './extension-support.ts';
export { type Decoded, type Fault, faultsText } from './fault.ts';
export { grpcService } from './grpc-service.ts';
export { anyJson, protoJson } from './proto-json.ts';
export { type BuildOptions, type BuiltAny, buildAny, buildMessage } from './strict-builder.ts';
