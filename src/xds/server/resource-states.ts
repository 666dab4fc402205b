import type { EncodedResource } from '../encoded-resource.ts';
import type { TypeSnapshot } from './snapshot-source.ts';
import type { TypeSubscription } from './type-subscription.ts';

/**
 * How one client stands to one resource. `sent` has been sent and not answered; `stale` is held in an older version; `absent` was asked
 * for and does not exist.
 */
export type ResourceStateKind = 'synced' | 'sent' | 'stale' | 'notSent' | 'rejected' | 'absent';

export interface ResourceState {
  readonly typeUrl: string;
  readonly name: string;
  readonly kind: ResourceStateKind;
  /** As it should be; undefined where it does not exist. */
  readonly resource: EncodedResource | undefined;
  /** What the client has been sent; empty for nothing. */
  readonly heldVersion: string;
  /** Why it was refused. */
  readonly detail: string;
}

/** Every resource that a client has asked for, by name or by wildcard. `lastChanged` is what its last response brought anew. */
export function resourceStates(
  subscription: TypeSubscription<never>,
  snapshot: TypeSnapshot,
  lastChanged: readonly EncodedResource[],
): readonly ResourceState[] {
  const { typeUrl, wanted } = subscription;
  const answerable = new Map(lastChanged.map(({ name, version }) => [name, version] as const));
  const state = (name: string): ResourceState => {
    const resource = snapshot.resources.get(name);
    const heldVersion = subscription.heldVersion(name) ?? '';
    const isOfLastResponse = answerable.get(name) === heldVersion;
    const kind = kindOf(subscription, resource, heldVersion, isOfLastResponse);
    const { state: delivery } = subscription.delivery;
    const detail = kind === 'rejected' && delivery.kind === 'rejected' ? delivery.detail : '';
    return { typeUrl, name, kind, resource, heldVersion, detail };
  };
  const names = wanted.isWildcard ? new Set([...snapshot.resources.keys(), ...wanted.names]) : wanted.names;
  return [...names].map(state);
}

function kindOf(
  { delivery }: TypeSubscription<never>,
  resource: EncodedResource | undefined,
  heldVersion: string,
  isOfLastResponse: boolean,
): ResourceStateKind {
  if (resource === undefined) return 'absent';
  if (isOfLastResponse && delivery.state.kind === 'rejected') return 'rejected';
  if (heldVersion === '') return 'notSent';
  if (heldVersion !== resource.version) return 'stale';
  const isAnswered = !isOfLastResponse || delivery.state.kind === 'acknowledged';
  return isAnswered ? 'synced' : 'sent';
}
