import type { NodeIdentity, SnapshotListener, SnapshotSubscription } from '../xds/server/server.ts';
import type { ProxyFeeds } from './proxy-feeds.ts';
import type { SnapshotStore } from './snapshot/snapshot.ts';

/**
 * Opens a sidecar's node, and holds it to what its certificate says: whoever proved to be a service is given the configuration of that
 * service's sidecars and of no other. A certificate that names no service (one for all sidecars of a machine) proves only that its
 * holder belongs here.
 */
export function openCertified(
  node: NodeIdentity,
  listener: SnapshotListener,
  store: SnapshotStore,
  feeds: ProxyFeeds,
): SnapshotSubscription {
  const certified = certifiedService(node);
  if (certified === undefined) return store.open(node, listener);
  return store.open(node, {
    onRefused: (refusal) => listener.onRefused(refusal),
    onSnapshot: (snapshot) => {
      // There is no snapshot before there is a registration.
      const service = feeds.of(node.id)?.registration?.destinationService;
      if (service === certified) listener.onSnapshot(snapshot);
      else {
        const message = `proxy "${node.id}" is registered for service "${service ?? ''}", and its certificate is that of "${certified}"`;
        listener.onRefused({ kind: 'permission-denied', message });
      }
    },
  });
}

/** The service of a SPIFFE ID in Consul's form: `spiffe://<trust domain>/ns/<namespace>/dc/<datacenter>/svc/<service>`. */
export function certifiedService({ certifiedUris }: Pick<NodeIdentity, 'certifiedUris'>): string | undefined {
  for (const uri of certifiedUris) {
    const service = /^spiffe:\/\/[^/]+(?:\/ap\/[^/]+)?\/ns\/[^/]+\/dc\/[^/]+\/svc\/([^/]+)$/.exec(uri)?.[1];
    if (service !== undefined) return service;
  }
  return undefined;
}
