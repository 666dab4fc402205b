import { UNKNOWN_LENGTH } from '../head.ts';
import { isAuthority, isAuthorityWithPort } from '../http1/authority.ts';
import { type Http2Fault, STREAM_FAULTS } from './faults.ts';
import type { HeadDraft } from './head-draft.ts';
import { AUTHORITY, METHOD, PATH, PROTOCOL, SCHEME } from './hpack/field-kind.ts';
import { Http2RequestHead } from './http2-heads.ts';
import type { Http2Limits } from './limits.ts';
import type { PseudoFields } from './pseudo-fields.ts';

/** A narrower alphabet than token, so that no server reads a method as another one. */
const METHOD_TEXT = /^[A-Z0-9_-]{1,32}$/;
/** Origin form: visible ASCII without `#`. */
const PATH_TEXT = /^\/[!"$-~]*$/;
const PROTOCOL_TEXT = /^[!#$%&'*+\-.^_`|~0-9A-Za-z/]{1,64}$/;

/**
 * The request that a finished block means, or the fault in it (RFC 9113 §8.3.1, RFC 8441). `scheme` is what the connection
 * itself is, not what the client claims.
 */
export function interpretRequest(
  draft: HeadDraft,
  endStream: boolean,
  scheme: 'http' | 'https',
  limits: Http2Limits,
): Http2RequestHead | Http2Fault {
  const { pseudo } = draft;
  const fault =
    draft.fault ?? faultOfMethod(pseudo) ?? faultOfAuthority(draft) ?? faultOfTarget(pseudo, limits) ?? undefined;
  if (fault !== undefined) return fault;
  if (endStream && draft.contentLength > 0) return STREAM_FAULTS.bodyTooShort;
  const isExtended = pseudo.protocol !== '';
  const isTunnel = pseudo.method === 'CONNECT';
  if (isTunnel && draft.contentLength !== UNKNOWN_LENGTH) return STREAM_FAULTS.connectForm;
  const line = {
    method: isExtended ? 'GET' : pseudo.method,
    scheme,
    authority: pseudo.authority === '' ? draft.host : pseudo.authority,
    path: pseudo.path,
    upgrade: pseudo.protocol.toLowerCase(),
  };
  return new Http2RequestHead(line, draft.fields, endStream ? 0 : draft.contentLength, draft.expectContinue);
}

function faultOfMethod(pseudo: PseudoFields): Http2Fault | undefined {
  if (!pseudo.has(METHOD)) return STREAM_FAULTS.pseudoMissing;
  if (isCommonMethod(pseudo.method) || METHOD_TEXT.test(pseudo.method)) return undefined;
  return STREAM_FAULTS.method;
}

function isCommonMethod(method: string): boolean {
  return method === 'GET' || method === 'POST';
}

/** Host may stand in for :authority, and may not differ from it. */
function faultOfAuthority(draft: HeadDraft): Http2Fault | undefined {
  const { host, pseudo } = draft;
  if (pseudo.has(AUTHORITY)) {
    if (!isAuthority(pseudo.authority, 0, pseudo.authority.length)) return STREAM_FAULTS.authority;
    const isSame = host === '' || host === pseudo.authority || host.toLowerCase() === pseudo.authority.toLowerCase();
    return isSame ? undefined : STREAM_FAULTS.hostMismatch;
  }
  if (host === '') return STREAM_FAULTS.authorityMissing;
  return isAuthority(host, 0, host.length) ? undefined : STREAM_FAULTS.authority;
}

function faultOfTarget(pseudo: PseudoFields, limits: Http2Limits): Http2Fault | undefined {
  if (pseudo.method === 'CONNECT' && !pseudo.has(PROTOCOL)) return faultOfConnect(pseudo, limits);
  if (!pseudo.has(SCHEME) || !pseudo.has(PATH)) return STREAM_FAULTS.pseudoMissing;
  if (pseudo.scheme !== 'http' && pseudo.scheme !== 'https') return STREAM_FAULTS.scheme;
  if (pseudo.has(PROTOCOL) && (pseudo.method !== 'CONNECT' || !PROTOCOL_TEXT.test(pseudo.protocol))) {
    return STREAM_FAULTS.protocol;
  }
  if (pseudo.path === '*') return pseudo.method === 'OPTIONS' ? undefined : STREAM_FAULTS.path;
  return PATH_TEXT.test(pseudo.path) ? undefined : STREAM_FAULTS.path;
}

/** RFC 9113 §8.5. */
function faultOfConnect(pseudo: PseudoFields, limits: Http2Limits): Http2Fault | undefined {
  if (!limits.allowConnect) return STREAM_FAULTS.connect;
  const isSound = !pseudo.has(SCHEME) && !pseudo.has(PATH) && isAuthorityWithPort(pseudo.authority);
  return isSound ? undefined : STREAM_FAULTS.connectForm;
}
