import { GRPC_STATUS, grpcStatusOfHttp } from '../../base/grpc-status.ts';
import { ChangedRequestHead, ChangedResponseHead } from '../../http/changed-head.ts';
import { isGrpcContentType } from '../../http/grpc/grpc.ts';
import { UNKNOWN_LENGTH } from '../../http/head.ts';
import type { HeaderFields } from '../../http/header-fields.ts';
import { Base64Decoder, Base64Encoder } from './base64-stream.ts';
import type { CompiledFilter, FilterStream } from './filter-stream.ts';
import { plainReply } from './local-replies.ts';

const WEB = 'application/grpc-web';
const WEB_TEXT = 'application/grpc-web-text';
/** The highest bit of a frame's first byte: it holds trailers (grpc: PROTOCOL-WEB.md). */
const TRAILERS_FRAME = 0x80;

/** One request of a browser. */
interface WebCall {
  readonly isText: boolean;
  /** Of `application/grpc-web+proto`: `+proto`. */
  readonly format: string;
  readonly decoder: Base64Decoder;
  readonly encoder: Base64Encoder;
  /** The answer is gRPC's, so that its trailers go into its body. */
  isTranslated: boolean;
}

/**
 * envoy.filters.http.grpc_web: what browsers can say (no trailers; base64 where they cannot read bytes) becomes gRPC, and
 * the answer comes back with its trailers as the last frame of its body.
 */
export function createGrpcWeb(name: string): CompiledFilter {
  const calls = new Map<FilterStream, WebCall>();
  return {
    name,
    onRequestHead(stream) {
      const { head, requestEdits } = stream;
      const { fields } = head;
      const call = webCallOf(fields);
      if (call === undefined || head.method !== 'POST') return 'continue';
      calls.set(stream, call);
      stream.isGrpcCall = true;
      stream.head = new ChangedRequestHead(head, call.isText ? { bodyLength: UNKNOWN_LENGTH } : {});
      requestEdits.set(fields, 'content-type', `application/grpc${call.format}`);
      if (fields.indexOf('te') < 0) requestEdits.add('te', 'trailers');
      return 'continue';
    },
    onRequestBody(stream, piece) {
      const call = calls.get(stream);
      if (call?.isText !== true) return;
      const bytes = call.decoder.decode(piece.view());
      if (bytes !== undefined) piece.replace(bytes);
      else {
        piece.drop();
        stream.sendLocalReply(
          plainReply(400, 'grpc_base_64_decode_failed', 'Bad gRPC-web request, invalid base64 data.'),
          '',
        );
      }
    },
    onRequestEnd(stream) {
      const call = calls.get(stream);
      if (call?.isText !== true || call.decoder.isComplete) return;
      const reply = plainReply(
        400,
        'grpc_base_64_decode_failed_bad_size',
        'Bad gRPC-web request, invalid base64 data.',
      );
      stream.sendLocalReply(reply, '');
    },
    onResponseHead(stream, head) {
      const call = calls.get(stream);
      if (call === undefined) return 'continue';
      const { responseEdits } = stream;
      const { fields } = head;
      const isGrpc = isGrpcContentType(fields.get('content-type'));
      const type = `${call.isText ? WEB_TEXT : WEB}${call.format}`;
      responseEdits.set(fields, 'content-type', type);
      if (!isGrpc) {
        // Whoever answered speaks no gRPC: all that can be passed on is that this went wrong.
        responseEdits.set(
          fields,
          'grpc-status',
          String(head.status === 200 ? GRPC_STATUS.unknown : grpcStatusOfHttp(head.status)),
        );
        responseEdits.set(fields, 'grpc-message', `upstream answered with HTTP status ${head.status}`);
        stream.responseHead = new ChangedResponseHead(head, { status: 200, bodyLength: 0 });
        return 'continue';
      }
      // A status in the head is the whole answer: there is nothing to translate.
      call.isTranslated = fields.indexOf('grpc-status') < 0;
      if (call.isTranslated) stream.responseHead = new ChangedResponseHead(head, { bodyLength: UNKNOWN_LENGTH });
      return 'continue';
    },
    onResponseBody(stream, piece) {
      const call = calls.get(stream);
      if (call === undefined) return;
      if (!call.isTranslated) piece.drop();
      else if (call.isText) piece.replace(call.encoder.encode(piece.view()));
    },
    onResponseEnd(stream, ending) {
      const call = calls.get(stream);
      if (call === undefined) return;
      const { trailers } = ending;
      ending.trailers = undefined;
      if (!call.isTranslated) return;
      const frame = trailersFrame(trailers);
      ending.append(call.isText ? Buffer.concat([call.encoder.encode(frame), call.encoder.end()]) : frame);
    },
    onStreamEnd: (stream) => void calls.delete(stream),
  };
}

function webCallOf(fields: HeaderFields): WebCall | undefined {
  const [contentType = ''] = (fields.get('content-type') ?? '').split(';');
  const match = /^application\/grpc-web(-text)?(\+\w+)?$/.exec(contentType.trim());
  if (match === null) return undefined;
  const [, text, format = ''] = match;
  return {
    isText: text !== undefined,
    format,
    decoder: new Base64Decoder(),
    encoder: new Base64Encoder(),
    isTranslated: false,
  };
}

/** Trailers as HTTP/1 fields in a frame of their own. An answer without any was cut short. */
function trailersFrame(trailers: HeaderFields | undefined): Buffer {
  let text = '';
  for (let index = 0; index < (trailers?.count ?? 0); index++) {
    text += `${trailers?.nameAt(index)}:${trailers?.valueAt(index)}\r\n`;
  }
  if (text === '') text = `grpc-status:${GRPC_STATUS.unknown}\r\n`;
  const frame = Buffer.alloc(5 + text.length);
  frame.writeUInt8(TRAILERS_FRAME, 0);
  frame.writeUInt32BE(text.length, 1);
  frame.write(text, 5, 'latin1');
  return frame;
}
