import {
  type AuthorizationCheck,
  CHECK_PATH,
  type CheckedPeer,
  decodeCheckResponse,
  encodeCheckRequest,
  prepareCheckMessages,
} from '../../../resource/authorization-message.ts';
import type { ExtAuthzConfig, GrpcUpstreamService } from '../../../resource/upstream-service.ts';
import type { StringPredicate } from '../../route/route.ts';
import type { FilterContext } from '../filter-context.ts';
import type { FilterStream } from '../filter-stream.ts';
import { type GrpcUnaryOutcome, startGrpcUnaryCall } from '../grpc-unary-call.ts';
import type { UpstreamCall } from '../upstream-calls.ts';
import { utf8Text } from '../utf8-text.ts';
import {
  type AuthorizationClient,
  type AuthorizationOutcome,
  PARTIAL_BODY_HEADER,
  type SeenBody,
} from './authorization-client.ts';
import { compileSelection, toldHeaders } from './told-headers.ts';

const PROTOCOLS = { 10: 'HTTP/1.0', 11: 'HTTP/1.1', 20: 'HTTP/2' } as const;

/** envoy.service.auth.v3.Authorization. */
export class GrpcAuthorization implements AuthorizationClient {
  readonly #service: GrpcUpstreamService;
  readonly #config: ExtAuthzConfig;
  readonly #context: FilterContext;
  readonly #extensions: ReadonlyMap<string, string>;
  readonly #isTold: StringPredicate;

  constructor(
    service: GrpcUpstreamService,
    config: ExtAuthzConfig,
    context: FilterContext,
    extensions: ReadonlyMap<string, string>,
  ) {
    this.#service = service;
    this.#config = config;
    this.#context = context;
    this.#extensions = extensions;
    this.#isTold = compileSelection(config, () => true);
    prepareCheckMessages();
  }

  ask(
    stream: FilterStream,
    body: SeenBody | undefined,
    onOutcome: (outcome: AuthorizationOutcome) => void,
  ): UpstreamCall {
    const message = encodeCheckRequest(this.#checkOf(stream, body));
    return startGrpcUnaryCall(this.#context.calls, this.#service, CHECK_PATH, message, (outcome) => {
      onOutcome(answerIn(outcome));
    });
  }

  #checkOf(stream: FilterStream, body: SeenBody | undefined): AuthorizationCheck {
    const { head, record } = stream;
    const { includeTlsSession, requestBody } = this.#config;
    const { serverName } = stream.peer.transport;
    return {
      source: sourceOf(stream, this.#config.includePeerCertificate),
      destination: destinationOf(stream),
      receivedAtWallMs: this.#context.turn.clock.wallMs(),
      requestId: record.requestId,
      method: head.method,
      headers: this.#headersOf(stream, body),
      path: utf8Text(head.path),
      host: utf8Text(head.authority),
      scheme: head.scheme,
      bodyBytes: head.bodyLength,
      protocol: PROTOCOLS[head.version],
      body: body?.bytes,
      packsBodyAsBytes: requestBody?.packAsBytes === true,
      contextExtensions: this.#extensions,
      serverName: includeTlsSession && serverName !== '' ? serverName : undefined,
    };
  }

  #headersOf(stream: FilterStream, body: SeenBody | undefined): ReadonlyMap<string, string> {
    const { method, path, authority, scheme } = stream.head;
    const headers = new Map<string, string>();
    const pseudo = { ':method': method, ':path': path, ':authority': authority, ':scheme': scheme };
    for (const [name, value] of Object.entries(pseudo)) if (this.#isTold(name)) headers.set(name, utf8Text(value));
    for (const [name, value] of toldHeaders(stream, this.#isTold)) headers.set(name, utf8Text(value));
    if (body !== undefined) headers.set(PARTIAL_BODY_HEADER, String(body.isPartial));
    return headers;
  }
}

function answerIn(outcome: GrpcUnaryOutcome): AuthorizationOutcome {
  if (outcome.kind === 'failed') return { kind: 'error', detail: outcome.detail, isTimeout: outcome.isTimeout };
  const decoded = decodeCheckResponse(outcome.bytes);
  return decoded.ok ? decoded.value : { kind: 'error', detail: 'answer_not_understood', isTimeout: false };
}

function sourceOf({ peer }: FilterStream, includeCertificate: boolean): CheckedPeer {
  const certificate = peer.transport.peerCertificate;
  const name = certificate?.uriNames[0] ?? certificate?.dnsNames[0] ?? certificate?.subject ?? '';
  return {
    address: peer.address,
    port: peer.port,
    principal: utf8Text(name),
    certificate: includeCertificate && certificate !== undefined ? encodeURIComponent(certificate.pem) : '',
  };
}

function destinationOf({ peer }: FilterStream): CheckedPeer {
  const { destinationAddress, destinationPort } = peer.ends();
  const principal = peer.transport.localUriNames[0] ?? '';
  return { address: destinationAddress, port: destinationPort, principal, certificate: '' };
}
