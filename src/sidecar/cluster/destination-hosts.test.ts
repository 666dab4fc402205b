import { expect, test } from 'vitest';
import { assignment, cluster } from '../../../test/support/resources.ts';
import { systemClock } from '../../base/clock.ts';
import { seededRandom } from '../../base/random.ts';
import { ClusterSet } from './cluster-set.ts';
import { DestinationHosts, MAX_DESTINATION_HOSTS } from './destination-hosts.ts';
import { OutlierDetector } from './outlier-detector.ts';
import { PLAIN_PICK } from './runtime-cluster.ts';
import { createSharedCounterMemory, SharedCounters } from './shared-counters.ts';

const ip = (port: number, host = '192.0.2.1') => ({ kind: 'ip', host, port }) as const;
const newCounters = () => new SharedCounters(createSharedCounterMemory(), createSharedCounterMemory());

test('one host for each address, for as long as somebody holds it or has just asked for it', () => {
  const hosts = new DestinationHosts('passthrough', 1, newCounters());
  const web = hosts.at(ip(80));
  expect(hosts.at(ip(80))).toBe(web);
  expect(hosts.at(ip(80, '2001:db8::1'))?.addressText).toBe('[2001:db8::1]:80');
  expect([hosts.sweep().length, hosts.size]).toEqual([0, 2]);
  web?.requestStarted();
  web?.connectionOpened();
  expect(hosts.sweep().map((host) => host.addressText)).toEqual(['[2001:db8::1]:80']);
  web?.requestEnded();
  // A kept connection keeps its host.
  expect(hosts.sweep()).toEqual([]);
  web?.connectionClosed();
  expect(hosts.sweep()).toEqual([web]);
  expect(hosts.at(ip(80))).not.toBe(web);
});

test('no more hosts than a cluster may have, and room again once some have gone', () => {
  const hosts = new DestinationHosts('passthrough', 1, newCounters());
  for (let port = 1; port <= MAX_DESTINATION_HOSTS; port++) hosts.at(ip(port));
  expect(hosts.at(ip(60_000))).toBeUndefined();
  expect(hosts.at(ip(1))).toBeDefined();
  hosts.sweep();
  expect(hosts.sweep()).toHaveLength(MAX_DESTINATION_HOSTS);
  expect(hosts.at(ip(60_000))).toBeDefined();
});

test('they leave with their cluster, are no choice of its own balancer, and are never ejected', () => {
  const counters = newCounters();
  const clusters = new ClusterSet(counters, { clock: systemClock, random: seededRandom(1), hash64: () => 0n });
  const gone: string[] = [];
  clusters.onHostRemoved((host) => gone.push(host.addressText));
  const outlierDetection = {
    consecutive5xx: 1,
    enforcingConsecutive5xxPercent: 100,
    consecutiveGatewayFailure: 1,
    enforcingConsecutiveGatewayFailurePercent: 100,
    intervalMs: 1,
    baseEjectionTimeMs: 1,
    maxEjectionTimeMs: 1,
    maxEjectionPercent: 100,
  };
  clusters.upsert({ cluster: cluster('passthrough', { outlierDetection }), slot: 1, hostSlot: 1 });
  const passthrough = clusters.get('passthrough');
  const host = passthrough?.destinations?.at(ip(80));
  expect(passthrough?.pick(PLAIN_PICK)).toBeUndefined();
  expect(passthrough?.hosts).toEqual([host]);
  const ejections: unknown[] = [];
  const detector = new OutlierDetector(clusters, counters, (ejection) => ejections.push(ejection));
  if (host !== undefined) detector.report(host, 503);
  expect(ejections).toEqual([]);
  // The same name with hosts of its own is another cluster.
  clusters.upsert({ cluster: cluster('passthrough'), slot: 1 });
  expect(gone).toEqual(['192.0.2.1:80']);
  clusters.assign({ clusterName: 'passthrough', assignment: assignment('passthrough', []), slots: new Map() });
  expect(clusters.get('passthrough')?.destinations).toBeUndefined();
});
