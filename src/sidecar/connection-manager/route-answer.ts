import type { RequestHead } from '../../http/head.ts';
import type { HeaderEdits } from '../../http/header-edits.ts';
import type { HttpConnectionManager } from '../../resource/http-connection-manager.ts';
import { LOCAL_REPLIES, type LocalReply, plainReply } from '../filter/filter.ts';
import type { CompiledRoute } from '../route/route.ts';
import { redirectLocation } from './redirect.ts';

/** What a route answers itself: a direct response, a redirect, a refused upgrade. undefined: the request is forwarded. */
export function answerOfRoute(
  manager: HttpConnectionManager,
  route: CompiledRoute,
  head: RequestHead,
  responseEdits: HeaderEdits,
): LocalReply | undefined {
  const { action } = route;
  if (action.kind === 'directResponse') return plainReply(action.status, 'direct_response', action.body);
  if (action.kind === 'redirect') {
    responseEdits.add('location', redirectLocation(action, route, head));
    return plainReply(action.responseCode, 'direct_response', '');
  }
  const { upgrade } = head;
  const mayUpgrade = upgrade === '' || (action.upgradeTypes.get(upgrade) ?? manager.upgradeTypes.includes(upgrade));
  return mayUpgrade ? undefined : LOCAL_REPLIES.upgradeNotAllowed;
}
