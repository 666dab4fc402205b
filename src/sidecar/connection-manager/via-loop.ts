import type { HeaderFields } from '../../http/header-fields.ts';

/** A request may pass proxies of one name this many times: a mesh hop is two, and calls nest. */
const MAX_VISITS = 10;

/** True where `Via` says that the request has been here too often already (RFC 9110 §7.6.3): it goes in circles. */
export function isGoingInCircles(pseudonym: string, fields: HeaderFields): boolean {
  let visits = 0;
  for (let index = fields.indexOf('via'); index >= 0; index = fields.indexOf('via', index + 1)) {
    for (const member of fields.valueAt(index).split(',')) {
      // received-protocol, received-by, optional comment
      const [, receivedBy] = member.trim().split(/[ \t]+/, 2);
      if (receivedBy === pseudonym && ++visits >= MAX_VISITS) return true;
    }
  }
  return false;
}
