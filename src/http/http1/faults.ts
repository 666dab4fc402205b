import type { Http1Fault } from './contract.ts';

function fault(status: number, reason: string): Http1Fault {
  return Object.freeze({ status, reason });
}

/** Every reason for which bytes are refused. `status` is the answer to a client; towards an upstream each becomes 502. */
export const FAULTS = {
  // Lines
  bareLf: fault(400, 'bare-lf'),
  bareCr: fault(400, 'bare-cr'),
  tooManyEmptyLines: fault(400, 'too-many-empty-lines'),
  requestLine: fault(400, 'malformed-request-line'),
  statusLine: fault(502, 'malformed-status-line'),
  statusRange: fault(502, 'status-out-of-range'),
  method: fault(400, 'method-not-a-token'),
  methodUnknown: fault(501, 'method-not-canonical'),
  methodTooLong: fault(501, 'method-too-long'),
  http2Preface: fault(400, 'http2-preface'),
  target: fault(400, 'invalid-target'),
  targetForm: fault(400, 'target-form-not-allowed'),
  targetTooLong: fault(414, 'target-too-long'),
  connect: fault(405, 'connect-not-allowed'),
  versionSyntax: fault(400, 'malformed-version'),
  /** Three words, of which neither the target nor the version begins like one. */
  notHttp: fault(400, 'not-http'),
  versionUnsupported: fault(505, 'unsupported-version'),
  http10: fault(426, 'http10-not-accepted'),
  // Fields
  headTooLarge: fault(431, 'head-too-large'),
  tooManyFields: fault(431, 'too-many-fields'),
  leadingWhitespace: fault(400, 'whitespace-before-first-field'),
  obsFold: fault(400, 'folded-field'),
  fieldName: fault(400, 'invalid-field-name'),
  spaceInName: fault(400, 'space-in-field-name'),
  noColon: fault(400, 'field-without-colon'),
  fieldValue: fault(400, 'invalid-field-value'),
  underscore: fault(400, 'underscore-in-field-name'),
  // Framing
  lengthAndCoding: fault(400, 'content-length-with-transfer-encoding'),
  contentLength: fault(400, 'invalid-content-length'),
  contentLengthRange: fault(400, 'content-length-too-large'),
  contentLengthRepeated: fault(400, 'repeated-content-length'),
  codingIn10: fault(400, 'transfer-encoding-in-http10'),
  coding: fault(400, 'invalid-transfer-encoding'),
  codingUnknown: fault(501, 'unsupported-transfer-encoding'),
  codingRepeated: fault(400, 'repeated-transfer-encoding'),
  connectBody: fault(400, 'connect-with-body'),
  // Routing and connection
  hostMissing: fault(400, 'missing-host'),
  hostRepeated: fault(400, 'repeated-host'),
  host: fault(400, 'invalid-host'),
  connectionOption: fault(400, 'invalid-connection-option'),
  tooManyOptions: fault(400, 'too-many-connection-options'),
  protectedNomination: fault(400, 'connection-names-protected-field'),
  expectation: fault(417, 'unknown-expectation'),
  // Chunks
  chunkSize: fault(400, 'invalid-chunk-size'),
  chunkSizeRange: fault(400, 'chunk-size-too-large'),
  chunkLine: fault(400, 'invalid-chunk-line-end'),
  chunkData: fault(400, 'invalid-chunk-data-end'),
  chunkExtension: fault(400, 'invalid-chunk-extension'),
  chunkExtensionSize: fault(400, 'chunk-extension-too-large'),
  trailerTooLarge: fault(431, 'trailer-too-large'),
  // Ends
  truncatedHead: fault(400, 'truncated-head'),
  truncatedBody: fault(400, 'truncated-body'),
  closedBeforeResponse: fault(502, 'closed-before-response'),
  unexpectedBytes: fault(0, 'unexpected-bytes'),
  tooManyInformational: fault(502, 'too-many-informational-responses'),
  informationalIn10: fault(502, 'informational-response-in-http10'),
  closingInformational: fault(502, 'informational-response-with-close'),
  unaskedSwitch: fault(502, 'unasked-protocol-switch'),
} as const satisfies Record<string, Http1Fault>;

/** The same reason seen from the other side: an upstream's bad bytes are a bad gateway. */
export function asUpstreamFault(fault: Http1Fault): Http1Fault {
  return fault.status === 0 || fault.status === 502 ? fault : Object.freeze({ status: 502, reason: fault.reason });
}
