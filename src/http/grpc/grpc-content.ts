import type { HeaderFields } from '../header-fields.ts';

const GRPC = 'application/grpc';

/** `application/grpc`, with a message format or parameters behind it; not `application/grpc-web`. */
export function isGrpcContentType(contentType: string | undefined): boolean {
  if (contentType === undefined || !contentType.startsWith(GRPC)) return false;
  const next = contentType.charCodeAt(GRPC.length);
  // The end, `+proto`, `;charset`, or blanks before that.
  return Number.isNaN(next) || next === 0x2b || next === 0x3b || next === 0x20;
}

export function isGrpc(fields: HeaderFields): boolean {
  return isGrpcContentType(fields.get('content-type'));
}
