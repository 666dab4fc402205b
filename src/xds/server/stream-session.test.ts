import { beforeEach, expect, test } from 'vitest';
import { CLUSTER_TYPE as CDS, LISTENER_TYPE as LDS } from '../../resource/type-url.ts';
import { type DiscoveryResponse, decodeDeltaResponse } from '../discovery-codec.ts';
import type { DeltaRequest } from '../discovery-requests.ts';
import { controlPlaneMessage } from '../discovery-responses.ts';
import { MemorySource, namedResource } from '../fakes/memory-source.ts';
import { nodeIdentity } from '../fakes/raw-ads-client.ts';
import { Admission } from './admission.ts';
import { newServerCounters, type XdsServerCounters } from './server-state.ts';
import { DEFAULT_STREAM_LIMITS } from './stream-limits.ts';
import { StreamSession } from './stream-session.ts';
import { MAX_PARTIAL_RESPONSE_BYTES } from './type-subscription.ts';
import { DELTA } from './variant.ts';

let source: MemorySource;
let counters: XdsServerCounters;
let session: StreamSession<DeltaRequest>;
let sent: DiscoveryResponse[];
let isWritable: boolean;
let nowMs: number;
let features: readonly string[];

beforeEach(() => {
  source = new MemorySource();
  counters = newServerCounters();
  sent = [];
  isWritable = true;
  nowMs = 0;
  features = [];
  const context = {
    source,
    counters,
    clock: { nowMs: () => nowMs, wallMs: () => 0 },
    limits: DEFAULT_STREAM_LIMITS,
    admission: new Admission(8),
    controlPlane: controlPlaneMessage('test'),
    onRejected: () => {},
  };
  session = new StreamSession(DELTA, { streamId: 1, peer: 'test', certifiedUris: [], onlyType: undefined }, context, {
    send: (bytes) => {
      sent.push(decodeDeltaResponse(bytes));
      return isWritable;
    },
    end: ({ message }) => {
      throw new Error(message);
    },
  });
});

function request(typeUrl: string, part: Partial<DeltaRequest> = {}): void {
  const { node, userAgentName, userAgentVersion } = nodeIdentity('n');
  session.onRequest({
    typeUrl,
    node: { ...node, userAgentName, userAgentVersion, clientFeatures: features },
    subscribe: [],
    unsubscribe: [],
    initialResourceVersions: new Map(),
    responseNonce: '',
    errorDetail: undefined,
    ...part,
  });
}

const ackLast = (): void => {
  const last = sent.at(-1);
  if (last !== undefined) request(last.typeUrl, { responseNonce: last.nonce });
};

test('a reader that is too slow is sent nothing more until it has read, and then the latest state once', () => {
  source.set([namedResource(CDS, 'web', '1')]);
  isWritable = false;
  request(CDS);
  ackLast();
  for (let version = 2; version < 100; version += 1) source.set([namedResource(CDS, 'web', String(version))]);
  expect(sent).toHaveLength(1);
  isWritable = true;
  session.onWritable();
  expect(sent.map((response) => response.resources[0]?.version)).toEqual(['1', '99']);
});

test('a client that never answers one type is given the others after the time limit, and is counted', () => {
  source.set([namedResource(CDS, 'web', '1'), namedResource(LDS, 'in', '1')]);
  request(CDS);
  request(LDS);
  nowMs = DEFAULT_STREAM_LIMITS.acknowledgeTimeoutMs - 1;
  session.onTick(nowMs);
  expect(sent.map(({ typeUrl }) => typeUrl)).toEqual([CDS]);
  nowMs += 1;
  session.onTick(nowMs);
  expect(sent.map(({ typeUrl }) => typeUrl)).toEqual([CDS, LDS]);
  expect(counters.unanswered).toBe(1);
  expect(session.view().types[0]).toMatchObject({ delivery: 'unanswered', sync: 'stale' });
});

test('a late answer still counts', () => {
  source.set([namedResource(CDS, 'web', '1')]);
  request(CDS);
  session.onTick(DEFAULT_STREAM_LIMITS.acknowledgeTimeoutMs);
  ackLast();
  expect(session.view().types[0]).toMatchObject({ sync: 'synced' });
});

test('a type that returns to an earlier state, even to none, is sent that state', () => {
  source.set([]);
  request(CDS);
  ackLast();
  source.set([namedResource(CDS, 'web', '1')]);
  source.set([]);
  ackLast();
  expect(sent.at(-1)?.removedNames).toEqual(['web']);
});

test('a large first state comes in parts, each after the answer to the one before', () => {
  const part = 'x'.repeat(MAX_PARTIAL_RESPONSE_BYTES / 2);
  source.set(['a', 'b', 'c', 'd', 'e'].map((name) => namedResource(CDS, name, part + name)));
  request(CDS);
  for (let round = 0; round < 10; round += 1) ackLast();
  const counts = sent.filter(({ resources }) => resources.length > 0).map(({ resources }) => resources.length);
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(5);
  expect(Math.max(...counts)).toBeLessThan(3);
  expect(session.view().types[0]).toMatchObject({ sync: 'synced' });
});

test('a closed session lets go of its source and takes no more', () => {
  source.set([namedResource(CDS, 'web', '1')]);
  request(CDS);
  session.close();
  source.set([namedResource(CDS, 'web', '2')]);
  ackLast();
  expect([source.openCount, sent.length]).toEqual([0, 1]);
});

test('what has a time to live is told to live on, thrice within that time, without content and under the same version', () => {
  features = ['xds.config.supports-resource-ttl'];
  source.set([namedResource(CDS, 'mortal', '1', 30_000), namedResource(CDS, 'immortal', '1')]);
  request(CDS);
  ackLast();
  nowMs = 9_999;
  session.onTick(nowMs);
  expect(sent).toHaveLength(1);
  nowMs = 10_000;
  session.onTick(nowMs);
  expect(sent.at(-1)?.resources).toMatchObject([{ name: 'mortal', version: '1', typeUrl: '' }]);
  expect(counters.heartbeats).toBe(1);
  // The heartbeat's nonce is the one that requests carry from now on, and its answer changes nothing.
  ackLast();
  expect(session.view().types[0]).toMatchObject({ sync: 'synced', delivery: 'acknowledged' });
  source.set([namedResource(CDS, 'immortal', '1')]);
  expect(sent.at(-1)?.removedNames).toEqual(['mortal']);
});

test('what a client holds from an earlier stream is told to live on as soon as it has answered', () => {
  features = ['xds.config.supports-resource-ttl'];
  source.set([namedResource(CDS, 'mortal', '1', 30_000)]);
  request(CDS, { initialResourceVersions: new Map([['mortal', '1']]) });
  expect(sent.flatMap(({ resources }) => resources)).toEqual([]);
  ackLast();
  session.onTick(nowMs);
  expect(sent.at(-1)?.resources).toMatchObject([{ name: 'mortal', version: '1', typeUrl: '', ttlMs: 30_000 }]);
});

test('no heartbeat goes to a client that does not know them', () => {
  source.set([namedResource(CDS, 'mortal', '1', 3_000)]);
  request(CDS);
  ackLast();
  session.onTick(5_000);
  expect(sent).toHaveLength(1);
});

test('a stream that says in the middle that it is another node is ended', () => {
  source.set([]);
  request(CDS);
  const { node, userAgentName, userAgentVersion } = nodeIdentity('somebody else');
  const other = { ...node, userAgentName, userAgentVersion, clientFeatures: [] };
  expect(() => request(CDS, { node: other })).toThrow('says now that it is another');
});

test('a change that says how it differs is compared in no other name', () => {
  source.set(Array.from({ length: 100 }, (_, index) => namedResource(CDS, `c${index}`, '1')));
  request(CDS);
  ackLast();
  source.set(Array.from({ length: 100 }, (_, index) => namedResource(CDS, `c${index}`, index === 7 ? '2' : '1')));
  expect(sent.at(-1)?.resources.map(({ name }) => name)).toEqual(['c7']);
});
