import type { RequestHead } from '../../http/head.ts';
import type { HeaderEdits } from '../../http/header-edits.ts';
import { LOCAL_REPLIES, type LocalReply } from '../filter/filter.ts';
import type { HttpChain } from './http-chain.ts';
import { checkMaxForwards } from './max-forwards.ts';
import { isGoingInCircles } from './via-loop.ts';

/** Requests that are answered here whatever the routes say: TRACE, those that have gone far enough, and those that circle. */
export function refusalOf(chain: HttpChain, head: RequestHead, edits: HeaderEdits): LocalReply | undefined {
  if (head.method === 'TRACE') return LOCAL_REPLIES.methodNotAllowed;
  if (head.method === 'OPTIONS') {
    const refusal = checkMaxForwards(head.fields, edits);
    if (refusal !== undefined) return refusal;
  }
  const { via } = chain.manager;
  return via !== '' && isGoingInCircles(via, head.fields) ? LOCAL_REPLIES.loopDetected : undefined;
}
