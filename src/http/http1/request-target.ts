import { isAuthority, isAuthorityWithPort } from './authority.ts';
import { ASTERISK, SLASH } from './byte-class.ts';
import type { Http1Fault } from './contract.ts';
import { FAULTS } from './faults.ts';

/** A request target in neutral form. `authority` is '' where the target does not name one. */
export interface TargetParts {
  authority: string;
  path: string;
}

const ABSOLUTE = /^https?:\/\/([^/?]*)(.*)$/i;

/** Reads one of the four forms (RFC 9112 §3.2) into `parts`; answers the fault of a form its method may not use. */
export function readTarget(
  method: string,
  target: string,
  allowConnect: boolean,
  parts: TargetParts,
): Http1Fault | undefined {
  parts.authority = '';
  parts.path = target;
  if (method === 'CONNECT') {
    if (!allowConnect) return FAULTS.connect;
    if (!isAuthorityWithPort(target)) return FAULTS.targetForm;
    parts.authority = target;
    parts.path = '';
    return undefined;
  }
  const first = target.charCodeAt(0);
  if (first === SLASH) return undefined;
  if (first === ASTERISK && target.length === 1) return method === 'OPTIONS' ? undefined : FAULTS.targetForm;
  return readAbsolute(method, target, parts);
}

function readAbsolute(method: string, target: string, parts: TargetParts): Http1Fault | undefined {
  const match = ABSOLUTE.exec(target);
  if (match === null) return FAULTS.targetForm;
  const [, authority = '', rest = ''] = match;
  if (!isAuthority(authority, 0, authority.length)) return FAULTS.host;
  parts.authority = authority;
  if (rest === '') parts.path = method === 'OPTIONS' ? '*' : '/';
  else parts.path = rest.startsWith('?') ? `/${rest}` : rest;
  return undefined;
}
