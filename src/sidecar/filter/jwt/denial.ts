import type { FilterStream } from '../filter-stream.ts';
import { type LocalReply, plainReply } from '../local-replies.ts';
import { JWT_FAILURE, type JwtFailure } from './jwt-failure.ts';

const MAX_REALM_LENGTH = 256;

export interface Denial {
  readonly reply: LocalReply;
  /** For `www-authenticate` (RFC 6750 §3), or ''. */
  readonly challenge: string;
}

/** The answer to a request whose tokens are not good enough. */
export function denial(failure: JwtFailure, { head }: FilterStream, isStripped: boolean): Denial {
  const status = failure === JWT_FAILURE.audienceNotAllowed ? 403 : 401;
  const details = `jwt_authn_access_denied{${failure.replaceAll(' ', '_')}}`;
  const reply = plainReply(status, details, isStripped ? '' : failure);
  if (isStripped) return { reply, challenge: '' };
  const path = head.path.replace(/\?.*$/s, '');
  const realm = `${head.scheme}://${head.authority}${path}`.slice(0, MAX_REALM_LENGTH).replaceAll(/["\\]/g, '_');
  const error = failure === JWT_FAILURE.missing ? '' : ', error="invalid_token"';
  return { reply, challenge: `Bearer realm="${realm}"${error}` };
}
