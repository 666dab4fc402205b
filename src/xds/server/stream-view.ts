import type { XdsTypeState } from './server-state.ts';
import { EMPTY_TYPE_SNAPSHOT } from './snapshot.ts';
import type { Snapshot } from './snapshot-source.ts';
import type { TypeSubscription } from './type-subscription.ts';

/** One type of one stream as people read it. */
export function typeState(subscription: TypeSubscription<never>, snapshot: Snapshot | undefined): XdsTypeState {
  const { typeUrl, wanted, delivery } = subscription;
  const { state } = delivery;
  const sentVersion = state.kind === 'none' ? undefined : state.version;
  return {
    typeUrl,
    subscribed: { isWildcard: wanted.isWildcard, names: wanted.names.size },
    sentVersion,
    acknowledgedVersion: delivery.acknowledgedVersion === '' ? undefined : delivery.acknowledgedVersion,
    rejected: state.kind === 'rejected' ? { version: state.version, detail: state.detail } : undefined,
    sync: syncOf(subscription, snapshot),
    delivery: state.kind,
  };
}

function syncOf(subscription: TypeSubscription<never>, snapshot: Snapshot | undefined): XdsTypeState['sync'] {
  const { state } = subscription.delivery;
  if (state.kind === 'rejected') return 'rejected';
  const isAnswered = state.kind === 'acknowledged' && snapshot !== undefined;
  const typeSnapshot = snapshot?.types.get(subscription.typeUrl) ?? EMPTY_TYPE_SNAPSHOT;
  return isAnswered && subscription.isSettled(typeSnapshot) ? 'synced' : 'stale';
}
