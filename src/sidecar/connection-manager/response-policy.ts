import type { Clock } from '../../base/clock.ts';
import type { HeaderEdits } from '../../http/header-edits.ts';
import type { HeaderFields } from '../../http/header-fields.ts';
import type { EventTurn } from '../../transport-socket/transport-socket.ts';
import { NOT_PROCESSED_HEADER } from '../filter/filter.ts';
import type { HttpChain } from './http-chain.ts';

/** What a connection manager does to every response's fields after the filters. */
export function finishResponseEdits(
  chain: HttpChain,
  turn: EventTurn,
  fields: HeaderFields,
  edits: HeaderEdits,
  requestId: string,
): void {
  applyResponsePolicy(chain, fields, edits, requestId);
  if (fields.indexOf('date') < 0) edits.addChecked('date', currentDate(turn.clock, turn.nowMs));
}

function applyResponsePolicy(chain: HttpChain, fields: HeaderFields, edits: HeaderEdits, requestId: string): void {
  const { manager } = chain;
  // Between sidecars only: an app may neither see it nor forge it.
  if (fields.indexOf(NOT_PROCESSED_HEADER) >= 0) edits.remove(fields, NOT_PROCESSED_HEADER);
  const transformation = manager.serverHeaderTransformation;
  if (transformation === 'overwrite') edits.remove(fields, 'server');
  if (transformation === 'overwrite' || (transformation === 'appendIfAbsent' && fields.indexOf('server') < 0)) {
    if (chain.isServerNameChecked) edits.addChecked('server', manager.serverName, chain.serverLine);
    else edits.add('server', manager.serverName);
  }
  if (manager.via !== '') edits.add('via', `1.1 ${manager.via}`);
  if (manager.alwaysSetRequestIdInResponse && requestId !== '') edits.set(fields, 'x-request-id', requestId);
}

const DATE_GOOD_FOR_MS = 500;
let dateText = '';
let dateTakenAtMs = Number.NEGATIVE_INFINITY;

/** IMF-fixdate of now (RFC 9110 §5.6.7), worked out at most twice a second. */
function currentDate(clock: Clock, nowMs: number): string {
  if (nowMs - dateTakenAtMs >= DATE_GOOD_FOR_MS || nowMs < dateTakenAtMs) {
    dateTakenAtMs = nowMs;
    dateText = new Date(clock.wallMs()).toUTCString();
  }
  return dateText;
}
