import type { HeaderEdits } from '../../http/header-edits.ts';
import type { HeaderFields } from '../../http/header-fields.ts';
import { LOCAL_REPLIES, type LocalReply } from '../filter/filter.ts';

/** RFC 9110 §7.6.2: an OPTIONS that may travel no further is answered here; else the number goes down by one. */
export function checkMaxForwards(fields: HeaderFields, edits: HeaderEdits): LocalReply | undefined {
  const index = fields.indexOf('max-forwards');
  if (index < 0) return undefined;
  const text = fields.valueAt(index);
  if (!/^\d{1,9}$/.test(text) || fields.indexOf('max-forwards', index + 1) >= 0)
    return LOCAL_REPLIES.invalidMaxForwards;
  const left = Number(text);
  if (left === 0) return LOCAL_REPLIES.maxForwardsReached;
  edits.set(fields, 'max-forwards', String(left - 1));
  return undefined;
}
