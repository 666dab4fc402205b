import type { Listener, ListenerFilter } from '../../resource/listener.ts';
import {
  inspectClientHello,
  inspectProxyHeader,
  type ProxiedAddresses,
} from '../../transport-socket/transport-socket.ts';
import { needsTlsInspector } from './filter-chain-selector.ts';
import { previewHttp } from './http-preview.ts';
import type { InspectionCounters } from './listener-counters.ts';

/** What listener filters have found out about one connection so far. */
export class InspectedFacts {
  serverName = '';
  transportProtocol: 'raw_buffer' | 'tls' = 'raw_buffer';
  applicationProtocols: readonly string[] = [];
  /** The socket's peer, and where it meant to go; undefined where nobody redirected it, or no filter wants to know. */
  readonly redirected: ProxiedAddresses | undefined;
  /** Another listener accepted it; it is not handed over a second time. */
  readonly isHandedOver: boolean;
  /** What filters put in place of the socket's own ends. */
  addresses: ProxiedAddresses | undefined = undefined;
  /** Bytes that were addressed to us and that no filter chain shall see. */
  consumedBytes = 0;

  constructor(redirected: ProxiedAddresses | undefined, isHandedOver: boolean) {
    this.redirected = redirected;
    this.isHandedOver = isHandedOver;
  }
}

/** A number: how many bytes behind the consumed ones there must be before asking again. */
export type InspectionVerdict = 'done' | 'close' | number;

/** One configured listener filter, shared by all connections: everything it knows of one of them is in its arguments. */
export interface CompiledListenerFilter {
  /** Answers before the peer has said anything: who waits for its server to speak first is not kept waiting. */
  readonly needsNoBytes?: true;
  /** `bytes` are those not consumed yet, and may be none. Asked again from the start when more have come. */
  inspect(bytes: Buffer, facts: InspectedFacts): InspectionVerdict;
  /** Whether a connection may go on without this filter's answer when `continue_on_listener_filters_timeout` says so. */
  readonly isOptional: boolean;
}

/** Whether anything has to be read before a filter chain can be chosen. */
export function needsListenerFilters(listener: Listener): boolean {
  return listener.listenerFilters.length > 0 || listener.filterChains.some(needsTlsInspector);
}

/** The filters of a listener in order. As in Envoy, a TLS inspector is there wherever a chain's match cannot do without. */
export function compileListenerFilters(
  listener: Listener,
  counters: InspectionCounters,
): readonly CompiledListenerFilter[] {
  const { listenerFilters, filterChains } = listener;
  const filters = listenerFilters.map((filter) => compile(filter, counters));
  const hasTlsInspector = listenerFilters.some(({ kind }) => kind === 'tlsInspector');
  const isMissing = !hasTlsInspector && filterChains.some(needsTlsInspector);
  return isMissing ? [...filters, tlsInspector(counters)] : filters;
}

function compile(filter: ListenerFilter, counters: InspectionCounters): CompiledListenerFilter {
  switch (filter.kind) {
    case 'tlsInspector':
      return tlsInspector(counters);
    case 'httpInspector':
      return httpInspector(counters);
    case 'proxyProtocol':
      return proxyProtocol(counters, filter.allowRequestsWithoutProxyProtocol);
    case 'originalDst':
      return ORIGINAL_DST;
  }
}

/** The kernel is asked when a connection is accepted, while its socket is at hand. */
const ORIGINAL_DST: CompiledListenerFilter = {
  isOptional: false,
  needsNoBytes: true,
  inspect(_bytes, facts) {
    const { redirected, addresses } = facts;
    if (redirected === undefined) return 'done';
    const { destinationAddress, destinationPort } = redirected;
    facts.addresses = { ...(addresses ?? redirected), destinationAddress, destinationPort };
    return 'done';
  },
};

function tlsInspector(counters: InspectionCounters): CompiledListenerFilter {
  return {
    isOptional: true,
    inspect(bytes, facts) {
      const inspection = inspectClientHello(bytes);
      switch (inspection.kind) {
        case 'incomplete':
          return inspection.neededBytes;
        case 'notTls':
          counters.tlsNotFound.increment();
          return 'done';
        case 'malformed':
          (inspection.reason === 'too-large'
            ? counters.clientHelloTooLarge
            : counters.clientHelloMalformed
          ).increment();
          return 'close';
        case 'clientHello': {
          const { serverName, applicationProtocols } = inspection.clientHello;
          counters.tlsFound.increment();
          (serverName === '' ? counters.sniNotFound : counters.sniFound).increment();
          (applicationProtocols.length === 0 ? counters.alpnNotFound : counters.alpnFound).increment();
          facts.transportProtocol = 'tls';
          facts.serverName = serverName;
          facts.applicationProtocols = applicationProtocols;
          return 'done';
        }
      }
    },
  };
}

function httpInspector(counters: InspectionCounters): CompiledListenerFilter {
  return {
    isOptional: true,
    inspect(bytes, facts) {
      if (facts.transportProtocol === 'tls') return 'done';
      const preview = previewHttp(bytes);
      if (preview.kind === 'incomplete') return preview.neededBytes;
      if (preview.kind === 'http') facts.applicationProtocols = [preview.protocol];
      counters.httpFound(preview.kind === 'http' ? preview.protocol : undefined);
      return 'done';
    },
  };
}

function proxyProtocol(counters: InspectionCounters, allowsAbsence: boolean): CompiledListenerFilter {
  return {
    // Who waits in silence would otherwise be let in without the header that everyone must bring.
    isOptional: allowsAbsence,
    inspect(bytes, facts) {
      const inspection = inspectProxyHeader(bytes);
      switch (inspection.kind) {
        case 'incomplete':
          return inspection.neededBytes;
        case 'absent':
          (allowsAbsence ? counters.proxyNotFoundAllowed : counters.proxyNotFoundDisallowed).increment();
          return allowsAbsence ? 'done' : 'close';
        case 'malformed':
          counters.proxyError(inspection.version);
          return 'close';
        case 'header':
          counters.proxyFound(inspection.version);
          facts.addresses = inspection.addresses;
          facts.consumedBytes += inspection.length;
          return 'done';
      }
    },
  };
}
