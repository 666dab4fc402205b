import type { GrpcMethod } from '../../resource/grpc-service.ts';
import { decodeToObject, messageType, type WireMessage } from '../../resource/protos.ts';
import { SECRET_TYPE } from '../../resource/type-url.ts';
import { type CallHandler, type CallStatus, GrpcStatus, type ServerCall } from './grpc/grpc-server.ts';
import { nodeIdMatcher } from './node-matcher.ts';
import type { ResourceState, ResourceStateKind } from './resource-states.ts';
import type { NodeIdentity } from './snapshot-source.ts';

/**
 * envoy.service.status.v3.ClientStatusDiscoveryService: what every connected client was sent, and what it made of it, for tools such as
 * grpcdebug. The contents of secrets are never in it.
 */

/** One stream as CSDS shows it. */
export interface ClientView {
  readonly node: NodeIdentity;
  readonly resources: readonly ResourceState[];
}

export interface ClientStatusOptions {
  /** Of every stream that has said who it is, and whose node is wanted. */
  clients(isWanted: (nodeId: string) => boolean): Iterable<ClientView>;
}

type Answer =
  | { readonly ok: true; readonly response: WireMessage }
  | { readonly ok: false; readonly error: CallStatus };

/** Contents beyond this are refused: a mesh's whole configuration is no answer to a question. */
const MAX_CONTENT_BYTES = 32 * 1024 * 1024;

const DONE: CallStatus = { code: GrpcStatus.OK, details: '' };
const NOTHING_ASKED: CallStatus = {
  code: GrpcStatus.INVALID_ARGUMENT,
  details: 'the call ended before its question came',
};

const CONFIG_STATUS: Readonly<Record<ResourceStateKind, string>> = {
  synced: 'SYNCED',
  sent: 'STALE',
  stale: 'STALE',
  notSent: 'NOT_SENT',
  rejected: 'ERROR',
  absent: 'NOT_SENT',
};

const CLIENT_STATUS: Readonly<Record<ResourceStateKind, string>> = {
  synced: 'ACKED',
  sent: 'REQUESTED',
  stale: 'ACKED',
  notSent: 'REQUESTED',
  rejected: 'NACKED',
  absent: 'DOES_NOT_EXIST',
};

export class ClientStatus {
  readonly #options: ClientStatusOptions;

  constructor(options: ClientStatusOptions) {
    this.#options = options;
  }

  /** FetchClientStatus and StreamClientStatus: one answer for each question, and no question is read before its turn. */
  answer(call: ServerCall, method: GrpcMethod): CallHandler {
    const ask = (bytes: Buffer): void => {
      const answer = this.#answerTo(bytes, call.peer, method);
      if (!answer.ok) call.end(answer.error);
      else {
        if (!call.send(method.responseSerialize(answer.response))) call.pause();
        if (!method.requestStream) call.end(DONE);
      }
    };
    return {
      onMessage: ask,
      onWritable: () => call.resume(),
      onHalfClose: () => call.end(method.requestStream ? DONE : NOTHING_ASKED),
      onClosed: () => undefined,
    };
  }

  #answerTo(bytes: Buffer, peer: string, method: GrpcMethod): Answer {
    try {
      return this.#answer(method.requestDeserialize(bytes), peer);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const details = `the request is no ClientStatusRequest: ${reason}`;
      return { ok: false, error: { code: GrpcStatus.INVALID_ARGUMENT, details } };
    }
  }

  #answer(request: WireMessage, peer: string): Answer {
    if (!isLoopback(peer)) {
      const details = 'client status is told on the loopback address only: it holds the configuration of every proxy';
      return { ok: false, error: { code: GrpcStatus.PERMISSION_DENIED, details } };
    }
    const matcher = nodeIdMatcher(request['node_matchers']);
    if (!matcher.ok) return { ok: false, error: { code: GrpcStatus.INVALID_ARGUMENT, details: matcher.message } };
    const withContents = request['exclude_resource_contents'] !== true;
    const config: WireMessage[] = [];
    let bytes = 0;
    for (const client of this.#options.clients(matcher.matches)) {
      bytes += withContents ? contentBytes(client) : 0;
      if (bytes > MAX_CONTENT_BYTES) {
        const details = `more than ${MAX_CONTENT_BYTES} bytes of resources: name nodes in node_matchers, or set exclude_resource_contents`;
        return { ok: false, error: { code: GrpcStatus.RESOURCE_EXHAUSTED, details } };
      }
      config.push(clientConfig(client, withContents));
    }
    return { ok: true, response: { config } };
  }
}

function contentBytes({ resources }: ClientView): number {
  return resources.reduce((sum, { resource }) => sum + (resource?.any.length ?? 0), 0);
}

function clientConfig({ node, resources }: ClientView, withContents: boolean): WireMessage {
  const { id, cluster, locality, userAgentName, userAgentVersion, clientFeatures } = node;
  return {
    node: {
      id,
      cluster,
      locality: { region: locality.region, zone: locality.zone, sub_zone: locality.subZone },
      user_agent_name: userAgentName,
      user_agent_version: userAgentVersion,
      client_features: clientFeatures,
    },
    generic_xds_configs: resources.map((resource) => genericConfig(resource, withContents)),
  };
}

function genericConfig(state: ResourceState, withContents: boolean): WireMessage {
  const { typeUrl, name, kind, resource, heldVersion, detail } = state;
  const isShown = withContents && typeUrl !== SECRET_TYPE && resource !== undefined;
  return {
    type_url: typeUrl,
    name,
    version_info: heldVersion,
    config_status: CONFIG_STATUS[kind],
    client_status: CLIENT_STATUS[kind],
    ...(isShown ? { xds_config: decodeToObject(messageType('google.protobuf.Any'), resource.any) } : {}),
    ...(kind === 'rejected' ? { error_state: { details: detail, version_info: resource?.version ?? '' } } : {}),
  };
}

/** gRPC names a peer by address and port. */
function isLoopback(peer: string): boolean {
  return /^(?:127\.|\[?::1\]?:|\[?::ffff:127\.)/.test(peer) || peer.startsWith('unix:');
}
