import { describe, expect, it } from 'vitest';
import { cluster, httpConnectionManager, httpListener } from '../../../test/support/resources.ts';
import { buildMessage } from '../../resource/strict-builder.ts';
import { EMPTY_TLS_CONTEXT } from '../../resource/transport-socket.ts';
import { CLUSTER_TYPE, LISTENER_TYPE } from '../../resource/type-url.ts';
import { clusterFaults, listenerFaults, originalDstFaults } from './data-plane-support.ts';
import { decodeAnyResource, resourceChange, staticChanges } from './resource-changes.ts';

const UNKNOWN_POLICY_LISTENER = {
  name: 'inbound',
  address: { socket_address: { address: '127.0.0.1', port_value: 1 } },
  filter_chains: [
    {
      filters: [
        {
          name: 'rbac',
          typed_config: {
            // No network filter of that type is known: this one belongs among HTTP filters.
            '@type': 'type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC',
          },
        },
        {
          name: 'tcp',
          typed_config: {
            '@type': 'type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy',
            stat_prefix: 'x',
            cluster: 'c',
          },
        },
      ],
    },
  ],
};

describe('resources this data plane takes', () => {
  it('a policy it cannot enforce is refused by name, never passed over', () => {
    const built = buildMessage('envoy.config.listener.v3.Listener', UNKNOWN_POLICY_LISTENER);
    if (!built.ok) throw new Error(JSON.stringify(built.faults));
    const decoded = decodeAnyResource(LISTENER_TYPE, built.value, 0);
    expect(decoded.ok ? [] : decoded.faults.map((fault) => fault.message).join()).toContain('rbac.v3.RBAC');
    expect(() =>
      staticChanges({ staticSecrets: [], staticClusters: [], staticListeners: [UNKNOWN_POLICY_LISTENER] }),
    ).toThrow('static_resources.listeners[0]');
  });

  it('refuses a TLS context that could never be used', () => {
    const pem = { kind: 'inline', text: 'x' } as const;
    const common = { ...EMPTY_TLS_CONTEXT, certificates: [{ certificateChain: pem, privateKey: pem }] };
    const tls = { kind: 'upstreamTls', sni: '', common } as const;
    expect(clusterFaults(cluster('c', { transportSocket: tls }))).toMatchObject([
      { field: 'transport_socket.typed_config.common_tls_context', message: expect.stringContaining('certificate') },
    ]);
    const parameters = { ...EMPTY_TLS_CONTEXT.parameters, cipherSuites: ['NO-SUCH-SUITE'] };
    const unknown = { kind: 'upstreamTls', sni: '', common: { ...EMPTY_TLS_CONTEXT, parameters } } as const;
    expect(clusterFaults(cluster('c', { transportSocket: unknown }))[0]?.message).toContain('NO-SUCH-SUITE');
  });

  it('refuses the original destination where the kernel cannot be asked for it, and only there', () => {
    const redirecting = {
      ...httpListener('l'),
      listenerFilters: [{ kind: 'tlsInspector' }, { kind: 'originalDst' }] as const,
    };
    expect(originalDstFaults(redirecting, () => 'no node:ffi; run another Node')).toEqual([
      { field: 'listener_filters[1]', message: 'original_dst: no node:ffi; run another Node' },
    ]);
    expect(originalDstFaults(redirecting, () => undefined)).toEqual([]);
    const never = (): string => expect.unreachable('nobody wants to know');
    expect(originalDstFaults(httpListener('l'), never)).toEqual([]);
  });

  it('refuses checks by request of a PROXY protocol cluster', () => {
    const proxied = { kind: 'upstreamProxyProtocol', version: 'v1' } as const;
    const check = { timeoutMs: 1, intervalMs: 1, unhealthyThreshold: 1, healthyThreshold: 1 };
    const byRequest = [{ ...check, checker: { kind: 'grpc', serviceName: '' } as const }];
    expect(clusterFaults(cluster('c', { transportSocket: proxied }))).toEqual([]);
    expect(clusterFaults(cluster('c', { transportSocket: proxied, healthChecks: byRequest }))[0]?.field).toBe(
      'health_checks',
    );
    expect(listenerFaults(httpListener('l', httpConnectionManager({ codecType: 'http2' })))).toEqual([]);
    expect(listenerFaults(httpListener('l'))).toEqual([]);
    expect(clusterFaults(cluster('c'))).toEqual([]);
  });

  it('makes one change of one type', () => {
    const built = buildMessage('envoy.config.cluster.v3.Cluster', {
      name: 'c',
      type: 'STATIC',
      load_assignment: { cluster_name: 'c' },
    });
    if (!built.ok) throw new Error(JSON.stringify(built.faults));
    const decoded = decodeAnyResource(CLUSTER_TYPE, built.value, 7);
    if (!decoded.ok) throw new Error(JSON.stringify(decoded.faults));
    expect(decoded.value.receivedAtWallMs).toBe(7);
    expect(resourceChange(CLUSTER_TYPE, [decoded.value], ['gone'])).toMatchObject({
      kind: 'clusters',
      changed: [{ name: 'c' }],
      removed: ['gone'],
    });
    expect(decodeAnyResource('type.googleapis.com/x', built.value, 0).ok).toBe(false);
  });
});
