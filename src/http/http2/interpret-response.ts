import { UNKNOWN_LENGTH } from '../head.ts';
import { type Http2Fault, STREAM_FAULTS } from './faults.ts';
import type { HeadDraft } from './head-draft.ts';
import { Http2ResponseHead } from './http2-heads.ts';

const STATUS_TEXT = /^[1-5][0-9][0-9]$/;
const SWITCHING_PROTOCOLS = 101;

/** What the request that a response answers decides about it. */
export type RequestForm = 'ordinary' | 'head' | 'connect' | 'upgrade';

/**
 * The response that a finished block means, or the fault in it (RFC 9113 §8.3.2). The 2xx that grants an extended CONNECT
 * is told as the 101 that it means.
 */
export function interpretResponse(
  draft: HeadDraft,
  endStream: boolean,
  form: RequestForm,
): Http2ResponseHead | Http2Fault {
  if (draft.fault !== undefined) return draft.fault;
  const text = draft.pseudo.status;
  if (text === '') return STREAM_FAULTS.pseudoMissing;
  if (!STATUS_TEXT.test(text)) return STREAM_FAULTS.status;
  const status = Number(text);
  // RFC 9113 §8.6: HTTP/2 has no 101.
  if (status === SWITCHING_PROTOCOLS) return STREAM_FAULTS.status;
  if (status < 200) {
    return endStream ? STREAM_FAULTS.informationalEnd : new Http2ResponseHead(status, draft.fields, 0);
  }
  if (form !== 'ordinary' && form !== 'head' && status < 300) {
    if (draft.contentLength !== UNKNOWN_LENGTH) return STREAM_FAULTS.contentLength;
    return new Http2ResponseHead(form === 'upgrade' ? SWITCHING_PROTOCOLS : status, draft.fields, UNKNOWN_LENGTH);
  }
  if (form === 'head' || status === 204 || status === 304) return new Http2ResponseHead(status, draft.fields, 0);
  if (endStream && draft.contentLength > 0) return STREAM_FAULTS.bodyTooShort;
  return new Http2ResponseHead(status, draft.fields, endStream ? 0 : draft.contentLength);
}
