import { ByteCursor } from './byte-cursor.ts';

/** What a client says in the clear before any TLS handshake (RFC 8446 §4.1.2). */
export interface ClientHello {
  /** server_name in lower case; '' where the client named none. */
  readonly serverName: string;
  /** ALPN, in the client's order of preference. */
  readonly applicationProtocols: readonly string[];
  /** supported_versions, or the one legacy version of a client older than TLS 1.3; 0x0304 is TLS 1.3. */
  readonly versions: readonly number[];
}

export type ClientHelloInspection =
  /** Ask again once at least so many bytes are there. */
  | { readonly kind: 'incomplete'; readonly neededBytes: number }
  | { readonly kind: 'clientHello'; readonly clientHello: ClientHello }
  /** The first bytes are no TLS handshake record. */
  | { readonly kind: 'notTls' }
  /** It began as TLS, and then broke the format or the bound. */
  | { readonly kind: 'malformed'; readonly reason: ClientHelloFault };

export type ClientHelloFault =
  | 'record'
  | 'not-client-hello'
  | 'too-large'
  | 'body'
  | 'extensions'
  | 'server-name'
  | 'application-protocols'
  | 'supported-versions';

/** Records and their headers together; Envoy's bound. Browsers with post-quantum key shares send about 2 KiB. */
export const MAX_CLIENT_HELLO_BYTES = 16_384;

const RECORD_HEADER_BYTES = 5;
const HANDSHAKE_HEADER_BYTES = 4;
const HANDSHAKE_RECORD = 22;
const CLIENT_HELLO = 1;
const RANDOM_BYTES = 32;
const MAX_SESSION_ID_BYTES = 32;

const SERVER_NAME = 0;
const APPLICATION_PROTOCOLS = 16;
const SUPPORTED_VERSIONS = 43;

/**
 * Looks at the first bytes of a connection without consuming them. Garbage is known by its first byte. The hello may be
 * spread over any number of records, and nothing is decided on bytes that may still change the answer, so that the same
 * bytes cut anywhere give the same result.
 */
export function inspectClientHello(bytes: Buffer): ClientHelloInspection {
  if (bytes.length === 0) return incomplete(1);
  if (bytes[0] !== HANDSHAKE_RECORD) return { kind: 'notTls' };
  if (bytes.length < 2) return incomplete(2);
  if (bytes[1] !== 3) return { kind: 'notTls' };
  const fragments: Buffer[] = [];
  let messageBytes = 0;
  let neededMessageBytes = HANDSHAKE_HEADER_BYTES;
  for (let at = 0; messageBytes < neededMessageBytes; ) {
    const bodyAt = at + RECORD_HEADER_BYTES;
    if (bodyAt > MAX_CLIENT_HELLO_BYTES) return malformed('too-large');
    const fault = recordFault(bytes, at);
    if (fault !== undefined) return malformed(fault);
    if (bytes.length < bodyAt) return incomplete(bodyAt);
    const recordEnd = bodyAt + bytes.readUInt16BE(at + 3);
    fragments.push(bytes.subarray(bodyAt, recordEnd));
    const available = messageBytes + Math.min(recordEnd, bytes.length) - bodyAt;
    if (available >= HANDSHAKE_HEADER_BYTES && neededMessageBytes === HANDSHAKE_HEADER_BYTES) {
      const length = messageLength(fragments);
      if (length === undefined) return malformed('not-client-hello');
      neededMessageBytes += length;
    }
    const neededEnd = Math.min(recordEnd, bodyAt + neededMessageBytes - messageBytes);
    if (neededEnd > MAX_CLIENT_HELLO_BYTES) return malformed('too-large');
    if (neededEnd > bytes.length) return incomplete(neededEnd);
    messageBytes = available;
    at = recordEnd;
  }
  const [first] = fragments;
  const message = fragments.length === 1 && first !== undefined ? first : Buffer.concat(fragments);
  return parseBody(new ByteCursor(message, HANDSHAKE_HEADER_BYTES, neededMessageBytes));
}

/** What is wrong with as much of a record's header as has arrived. */
function recordFault(bytes: Buffer, at: number): ClientHelloFault | undefined {
  if (at < bytes.length && bytes[at] !== HANDSHAKE_RECORD) return 'record';
  if (at + 1 < bytes.length && bytes[at + 1] !== 3) return 'record';
  if (at + RECORD_HEADER_BYTES > bytes.length) return undefined;
  const length = bytes.readUInt16BE(at + 3);
  // RFC 8446 §5.1: handshake fragments are never empty, and no record holds more than 2^14 bytes.
  return length === 0 || length > 16_384 ? 'record' : undefined;
}

/** From the handshake header, which may itself be cut into records of one byte; undefined where it is another message. */
function messageLength(fragments: readonly Buffer[]): number | undefined {
  const [first] = fragments;
  const header = fragments.length === 1 && first !== undefined ? first : Buffer.concat(fragments);
  return header[0] === CLIENT_HELLO ? header.readUIntBE(1, 3) : undefined;
}

function parseBody(body: ByteCursor): ClientHelloInspection {
  const legacyVersion = body.uint16();
  body.skip(RANDOM_BYTES);
  const sessionIdBytes = body.uint8();
  body.skip(sessionIdBytes);
  const cipherSuiteBytes = body.uint16();
  body.skip(cipherSuiteBytes);
  const compressionBytes = body.uint8();
  body.skip(compressionBytes);
  const isOdd = cipherSuiteBytes === 0 || cipherSuiteBytes % 2 === 1 || compressionBytes === 0;
  if (body.isBroken || isOdd || sessionIdBytes > MAX_SESSION_ID_BYTES) return malformed('body');
  // TLS 1.2 lets a client end here.
  const extensions = body.remaining === 0 ? body.slice(0) : body.slice(body.uint16());
  if (!body.isSpent) return malformed('extensions');
  return parseExtensions(extensions, legacyVersion);
}

function parseExtensions(extensions: ByteCursor, legacyVersion: number): ClientHelloInspection {
  const seen = new Set<number>();
  let serverName = '';
  let applicationProtocols: readonly string[] = [];
  let versions: readonly number[] = [legacyVersion];
  while (extensions.remaining > 0) {
    const type = extensions.uint16();
    const content = extensions.slice(extensions.uint16());
    // RFC 8446 §4.2: no extension twice.
    if (extensions.isBroken || seen.has(type)) return malformed('extensions');
    seen.add(type);
    if (type === SERVER_NAME) {
      const name = parseServerName(content);
      if (name === undefined) return malformed('server-name');
      serverName = name;
    } else if (type === APPLICATION_PROTOCOLS) {
      const protocols = parseApplicationProtocols(content);
      if (protocols === undefined) return malformed('application-protocols');
      applicationProtocols = protocols;
    } else if (type === SUPPORTED_VERSIONS) {
      const supported = parseVersions(content);
      if (supported === undefined) return malformed('supported-versions');
      versions = supported;
    }
  }
  return { kind: 'clientHello', clientHello: { serverName, applicationProtocols, versions } };
}

/** A name goes into routing and logs: nothing but the letters of host names. */
const HOST_NAME = /^[A-Za-z0-9._-]{1,255}$/;

/** RFC 6066 §3: one list with one name of type host_name. */
function parseServerName(content: ByteCursor): string | undefined {
  const list = content.slice(content.uint16());
  const type = list.uint8();
  const name = list.latin1(list.uint16());
  if (!content.isSpent || !list.isSpent || type !== 0 || !HOST_NAME.test(name)) return undefined;
  return name.toLowerCase();
}

/** RFC 7301 §3.1: a list that is not empty, of names that are not empty. */
function parseApplicationProtocols(content: ByteCursor): readonly string[] | undefined {
  const list = content.slice(content.uint16());
  const protocols: string[] = [];
  while (list.remaining > 0 && !list.isBroken) {
    const protocol = list.latin1(list.uint8());
    if (protocol === '') return undefined;
    protocols.push(protocol);
  }
  return content.isSpent && list.isSpent && protocols.length > 0 ? protocols : undefined;
}

function parseVersions(content: ByteCursor): readonly number[] | undefined {
  const list = content.slice(content.uint8());
  const versions: number[] = [];
  while (list.remaining > 0 && !list.isBroken) versions.push(list.uint16());
  return content.isSpent && list.isSpent && versions.length > 0 ? versions : undefined;
}

function incomplete(neededBytes: number): ClientHelloInspection {
  return { kind: 'incomplete', neededBytes };
}

function malformed(reason: ClientHelloFault): ClientHelloInspection {
  return { kind: 'malformed', reason };
}
