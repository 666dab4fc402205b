import { afterEach, expect, test } from 'vitest';
import { plainRequest } from '../../../../test/support/plain-fields.ts';
import { cluster } from '../../../../test/support/resources.ts';
import { seededRandom } from '../../../base/random.ts';
import { HeaderEdits } from '../../../http/header-edits.ts';
import type { OriginalDstDiscovery } from '../../../resource/cluster.ts';
import { MetricsRegistry } from '../../../telemetry/metrics/metrics.ts';
import { EventTurn, PLAINTEXT } from '../../../transport-socket/transport-socket.ts';
import { ClusterSet, createSharedCounterMemory, MAX_DESTINATION_HOSTS, SharedCounters } from '../../cluster/cluster.ts';
import { StreamMetadata } from '../stream-metadata.ts';
import { type DestinationAsker, OriginalDstPicks } from './original-dst-picks.ts';

const turns: EventTurn[] = [];
afterEach(() => {
  for (const turn of turns.splice(0)) turn.stop();
});

function picksIn(discovery: Partial<OriginalDstDiscovery>) {
  let nowMs = 0;
  const clock = { nowMs: () => nowMs, wallMs: () => nowMs };
  const turn = new EventTurn(clock, (error) => expect.unreachable(String(error)));
  turns.push(turn);
  const metrics = new MetricsRegistry({ announce: () => undefined });
  const counters = new SharedCounters(createSharedCounterMemory(), createSharedCounterMemory());
  const clusters = new ClusterSet(counters, { clock, random: seededRandom(1), hash64: () => 0n });
  const whole: OriginalDstDiscovery = {
    kind: 'originalDst',
    httpHeaderName: undefined,
    metadataKey: undefined,
    upstreamPortOverride: undefined,
    cleanupIntervalMs: 5_000,
    ...discovery,
  };
  clusters.upsert({ cluster: cluster('dst', { discovery: whole }), slot: 1, hostSlot: 1 });
  const dst = clusters.get('dst');
  if (dst?.destinations === undefined) throw new Error('no such cluster');
  const gone: string[] = [];
  const picks = new OriginalDstPicks(turn, dst, dst.destinations, metrics, (host) => gone.push(host.addressText));
  const counter = (name: string): number => metrics.counter({ kind: 'cluster', name: 'dst' }, name).value;
  const pass = (milliseconds: number): void => {
    nowMs += milliseconds;
    turn.advance();
  };
  return { pick: (asker: DestinationAsker) => picks.pick(asker)?.addressText, gone, counter, pass };
}

interface Said {
  readonly header?: string;
  readonly metadata?: unknown;
  readonly restored?: string;
}

/** A request with what it says about where it is meant to go. */
function request({ header, metadata, restored }: Said): DestinationAsker {
  const values = new StreamMetadata();
  if (metadata !== undefined) values.set('my.filter', 'to', { host: metadata });
  const peer = {
    address: '192.0.2.9',
    port: 1,
    directAddress: '192.0.2.9',
    transport: PLAINTEXT,
    restoredDestination: restored === undefined ? undefined : ({ kind: 'ip', host: restored, port: 80 } as const),
    ends: () => expect.unreachable('costs a system call'),
  };
  const head = plainRequest('/', header === undefined ? [] : [['x-to', header]]);
  return { head, requestEdits: new HeaderEdits(), metadata: values, peer };
}

const metadataKey = { filter: 'my.filter', path: ['to', 'host'] };

test('metadata go before the header, the header before the connection; what is no address is passed over', () => {
  const { pick, counter } = picksIn({ metadataKey, httpHeaderName: 'x-to' });
  const header = '192.0.2.2:80';
  const restored = '192.0.2.3';
  expect(pick(request({ metadata: '192.0.2.1:80', header, restored }))).toBe('192.0.2.1:80');
  expect(pick(request({ metadata: ['[2001:DB8::1]:80', 'x'], header }))).toBe('[2001:db8::1]:80');
  expect(pick(request({ header, restored }))).toBe(header);
  expect(pick(request({ restored }))).toBe('192.0.2.3:80');
  expect(counter('original_dst_host_invalid')).toBe(0);
  expect(pick(request({ metadata: 80, header }))).toBe(header);
  expect(pick(request({ metadata: 'web:80', header: 'web', restored }))).toBe('192.0.2.3:80');
  expect(counter('original_dst_host_invalid')).toBe(3);
  expect(pick(request({}))).toBeUndefined();
});

test('a cluster that names neither listens to neither', () => {
  const { pick } = picksIn({ upstreamPortOverride: 8080 });
  expect(pick(request({ metadata: '192.0.2.1:80', header: '192.0.2.2:80' }))).toBeUndefined();
  expect(pick(request({ header: '192.0.2.2:80', restored: '192.0.2.3' }))).toBe('192.0.2.3:8080');
});

test('hosts go two intervals after their last use, and one too many is refused and counted', () => {
  const { pick, gone, counter, pass } = picksIn({ httpHeaderName: 'x-to' });
  for (let port = 1; port <= MAX_DESTINATION_HOSTS; port++) pick(request({ header: `192.0.2.1:${port}` }));
  expect(pick(request({ header: '192.0.2.2:1' }))).toBeUndefined();
  expect(counter('original_dst_host_overflow')).toBe(1);
  pass(5_000);
  expect(gone).toEqual([]);
  pick(request({ header: '192.0.2.1:1' }));
  pass(5_000);
  expect(gone.length).toBe(MAX_DESTINATION_HOSTS - 1);
  expect(pick(request({ header: '192.0.2.2:1' }))).toBe('192.0.2.2:1');
  pass(5_000);
  pass(5_000);
  expect(gone.slice(-2)).toEqual(['192.0.2.1:1', '192.0.2.2:1']);
});
