import { type Decoded, FaultCollector } from './fault.ts';
import { MessageReader } from './message-reader.ts';
import { messageType, prepareMessage } from './protos.ts';
import type { HeaderValueOption } from './route-configuration.ts';

/** The messages of envoy.service.auth.v3.Authorization, for a caller that knows no protobuf. */

export const CHECK_PATH = '/envoy.service.auth.v3.Authorization/Check';

export interface CheckedPeer {
  readonly address: string;
  readonly port: number;
  /** A URI of its certificate, or ''. */
  readonly principal: string;
  /** PEM, percent-encoded, or ''. */
  readonly certificate: string;
}

/** What is told about one request. */
export interface AuthorizationCheck {
  readonly source: CheckedPeer;
  readonly destination: CheckedPeer;
  readonly receivedAtWallMs: number;
  readonly requestId: string;
  readonly method: string;
  /** By lower-case name, pseudo-headers included. */
  readonly headers: ReadonlyMap<string, string>;
  readonly path: string;
  readonly host: string;
  readonly scheme: string;
  /** −1 where it is not known yet. */
  readonly bodyBytes: number;
  readonly protocol: string;
  readonly body: Uint8Array | undefined;
  readonly packsBodyAsBytes: boolean;
  readonly contextExtensions: ReadonlyMap<string, string>;
  /** undefined: not to be told. */
  readonly serverName: string | undefined;
}

/** What is made of a request. */
export type AuthorizationAnswer =
  | {
      readonly kind: 'ok';
      readonly requestHeaders: readonly HeaderValueOption[];
      readonly requestHeadersToRemove: readonly string[];
      readonly responseHeaders: readonly HeaderValueOption[];
      /** Whether the query is to be changed, which we do not do. */
      readonly changesQuery: boolean;
    }
  | {
      readonly kind: 'denied';
      readonly status: number;
      readonly headers: readonly HeaderValueOption[];
      readonly body: string;
    };

const DEFAULT_DENIED_STATUS = 403;

export function prepareCheckMessages(): void {
  prepareMessage('envoy.service.auth.v3.CheckRequest');
  prepareMessage('envoy.service.auth.v3.CheckResponse');
}

export function encodeCheckRequest(check: AuthorizationCheck): Uint8Array {
  const type = messageType('envoy.service.auth.v3.CheckRequest');
  const { body, receivedAtWallMs } = check;
  const seconds = Math.floor(receivedAtWallMs / 1000);
  const http = {
    id: check.requestId,
    method: check.method,
    headers: recordOf(check.headers),
    path: check.path,
    host: check.host,
    scheme: check.scheme,
    size: check.bodyBytes,
    protocol: check.protocol,
    ...(body === undefined ? {} : bodyParts(body, check.packsBodyAsBytes)),
  };
  const nanos = Math.floor((receivedAtWallMs - seconds * 1000) * 1e6);
  const attributes = {
    source: peerParts(check.source),
    destination: peerParts(check.destination),
    request: { time: { seconds, nanos }, http },
    context_extensions: recordOf(check.contextExtensions),
    ...(check.serverName === undefined ? {} : { tls_session: { sni: check.serverName } }),
  };
  return type.encode({ attributes }).finish();
}

/** Header values are latin1 text, as everywhere on the data path. */
export function decodeCheckResponse(bytes: Uint8Array): Decoded<AuthorizationAnswer> {
  const faults = new FaultCollector();
  const reader = MessageReader.over(messageType('envoy.service.auth.v3.CheckResponse'), bytes, '', faults);
  if (reader === undefined) return { ok: false, faults: faults.list() };
  return faults.decoded(decodeAnswer(reader));
}

/** As in Envoy, the status alone says which of the two it is. */
function decodeAnswer(reader: MessageReader): AuthorizationAnswer {
  const code = reader.message('status')?.number('code') ?? 0;
  if (code === 0) {
    const ok = reader.message('ok_response');
    const removals = ok?.strings('headers_to_remove') ?? [];
    return {
      kind: 'ok',
      requestHeaders: ok?.messages('headers').flatMap(decodeOption) ?? [],
      requestHeadersToRemove: removals.map((name) => name.toLowerCase()),
      responseHeaders: ok?.messages('response_headers_to_add').flatMap(decodeOption) ?? [],
      changesQuery: ok?.has('query_parameters_to_set') === true || ok?.has('query_parameters_to_remove') === true,
    };
  }
  const denied = reader.message('denied_response');
  const status = denied?.message('status')?.enumNumber('code') ?? 0;
  return {
    kind: 'denied',
    status: status >= 200 && status <= 599 ? status : DEFAULT_DENIED_STATUS,
    headers: denied?.messages('headers').flatMap(decodeOption) ?? [],
    body: denied?.string('body') ?? '',
  };
}

const APPEND_ACTIONS = [
  // In these messages a value replaces what is there unless they say otherwise.
  'overwriteIfExistsOrAdd',
  'addIfAbsent',
  'overwriteIfExistsOrAdd',
  'overwriteIfExists',
] as const;

function decodeOption(reader: MessageReader): readonly HeaderValueOption[] {
  const header = reader.message('header');
  if (header === undefined) return [];
  const raw = header.bytes('raw_value');
  const value = raw.length > 0 ? Buffer.from(raw) : Buffer.from(header.string('value'), 'utf8');
  const isAppended = reader.wrappedBoolean('append') === true;
  const action = APPEND_ACTIONS[reader.enumNumber('append_action')] ?? 'overwriteIfExistsOrAdd';
  return [
    {
      name: header.string('key').toLowerCase(),
      value: value.toString('latin1'),
      appendAction: isAppended ? 'appendIfExistsOrAdd' : action,
    },
  ];
}

function bodyParts(body: Uint8Array, packsAsBytes: boolean): Readonly<Record<string, unknown>> {
  return packsAsBytes ? { raw_body: body } : { body: Buffer.from(body).toString('utf8') };
}

function peerParts({ address, port, principal, certificate }: CheckedPeer): Readonly<Record<string, unknown>> {
  return { address: { socket_address: { address, port_value: port } }, principal, certificate };
}

/** Without a prototype: names are a peer's. */
function recordOf(map: ReadonlyMap<string, string>): Readonly<Record<string, string>> {
  const record: Record<string, string> = Object.create(null);
  for (const [key, value] of map) record[key] = value;
  return record;
}
