import { describe, expect, it } from 'vitest';
import { assignment, cluster, endpoint } from '../../../test/support/resources.ts';
import type { Cluster } from '../../resource/cluster.ts';
import type { ClusterLoadAssignment } from '../../resource/cluster-load-assignment.ts';
import { Logs } from '../../telemetry/log/log.ts';
import { DnsClusters } from './dns-clusters.ts';

const log = new Logs({ level: 'silent', format: 'json' }).root;
const named = (kind: 'strictDns' | 'logicalDns', host: string): Cluster =>
  cluster('web', {
    discovery: {
      kind,
      refreshMs: 60_000,
      assignment: assignment('ignored', [endpoint(80, { address: { kind: 'ip', host, port: 80 } })]),
    },
  });

function resolveOnce(
  config: Cluster,
  lookup: (hostname: string) => Promise<readonly string[]>,
): Promise<ClusterLoadAssignment> {
  return new Promise((resolve) => {
    const clusters = new DnsClusters({
      lookup,
      log,
      onResolved(resolved) {
        clusters.stop();
        resolve(resolved);
      },
    });
    clusters.setClusters([config, cluster('eds-one')]);
  });
}

const hostsOf = (resolved: ClusterLoadAssignment): string[] =>
  resolved.localities.flatMap((group) =>
    group.endpoints.map((one) => (one.address.kind === 'ip' ? one.address.host : '')),
  );

describe('DNS clusters', () => {
  it('STRICT_DNS takes every address, LOGICAL_DNS the first; the name stays as host name', async () => {
    const lookup = async (): Promise<string[]> => ['10.0.0.1', '10.0.0.2'];
    const strict = await resolveOnce(named('strictDns', 'web.test'), lookup);
    expect(strict.clusterName).toBe('web');
    expect(hostsOf(strict)).toEqual(['10.0.0.1', '10.0.0.2']);
    expect(strict.localities[0]?.endpoints[0]?.hostname).toBe('web.test');
    expect(hostsOf(await resolveOnce(named('logicalDns', 'web.test'), lookup))).toEqual(['10.0.0.1']);
  });

  it('asks nobody about an address', async () => {
    const lookup = async (): Promise<string[]> => Promise.reject(new Error('asked'));
    expect(hostsOf(await resolveOnce(named('strictDns', '10.0.0.9'), lookup))).toEqual(['10.0.0.9']);
  });

  it('keeps the last good addresses when a look-up fails, and counts it', async () => {
    let calls = 0;
    const seen: string[][] = [];
    await new Promise<void>((resolve) => {
      const clusters = new DnsClusters({
        lookup: async () => (calls++ === 0 ? ['10.0.0.1'] : Promise.reject(new Error('SERVFAIL'))),
        log,
        onResolved(resolved) {
          seen.push(hostsOf(resolved));
          if (seen.length === 1) clusters.setClusters([{ ...named('strictDns', 'web.test') }]);
          else {
            expect(clusters.failures).toBe(1);
            clusters.stop();
            resolve();
          }
        },
      });
      clusters.setClusters([named('strictDns', 'web.test')]);
    });
    expect(seen).toEqual([['10.0.0.1'], ['10.0.0.1']]);
  });
});
