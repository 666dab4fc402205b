/** Rows of the catalog, spelt as Consul's JSON spells them, so that an answer is the row itself. Rows are never changed in place. */

export type CheckStatus = 'passing' | 'warning' | 'critical';
/** What a check can report, and `maintenance`, which an aggregate shows while an operator holds an instance out. */
export type AggregatedStatus = CheckStatus | 'maintenance';

export type StringMap = Readonly<Record<string, string>>;

export interface AddressPort {
  readonly Address: string;
  readonly Port: number;
}

export interface NodeRow {
  readonly ID: string;
  readonly Node: string;
  readonly Address: string;
  readonly Datacenter: string;
  readonly TaggedAddresses: StringMap;
  readonly Meta: StringMap;
  readonly CreateIndex: number;
  readonly ModifyIndex: number;
}

export interface Weights {
  readonly Passing: number;
  readonly Warning: number;
}

export interface UpstreamRow {
  readonly DestinationType: string;
  readonly DestinationName: string;
  readonly Datacenter?: string;
  readonly LocalBindAddress?: string;
  readonly LocalBindPort?: number;
  readonly Config?: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

export interface ProxyRow {
  readonly DestinationServiceName?: string;
  readonly DestinationServiceID?: string;
  readonly LocalServiceAddress?: string;
  readonly LocalServicePort?: number;
  readonly LocalServiceSocketPath?: string;
  readonly Config?: Readonly<Record<string, unknown>>;
  readonly Upstreams?: readonly UpstreamRow[];
  readonly Expose?: { readonly Checks?: boolean };
  readonly [field: string]: unknown;
}

/** One registered instance (`NodeService` in Consul's words), with the node it lives on. */
export interface ServiceRow {
  readonly Kind?: string;
  readonly ID: string;
  readonly Service: string;
  readonly Tags: readonly string[];
  readonly Address: string;
  readonly TaggedAddresses?: Readonly<Record<string, AddressPort>>;
  readonly Meta: StringMap;
  readonly Port: number;
  readonly SocketPath?: string;
  readonly Weights: Weights;
  readonly EnableTagOverride: boolean;
  readonly Proxy: ProxyRow;
  readonly Connect: { readonly Native?: boolean };
  readonly Locality?: Readonly<Record<string, unknown>>;
  readonly CreateIndex: number;
  readonly ModifyIndex: number;
}

export interface CheckRow {
  readonly Node: string;
  readonly CheckID: string;
  readonly Name: string;
  readonly Status: CheckStatus;
  readonly Notes: string;
  readonly Output: string;
  readonly ServiceID: string;
  readonly ServiceName: string;
  readonly ServiceTags: readonly string[];
  readonly Type: string;
  readonly Interval: string;
  readonly Timeout: string;
  readonly ExposedPort: number;
  readonly Definition: Readonly<Record<string, unknown>>;
  readonly CreateIndex: number;
  readonly ModifyIndex: number;
}

export type NewNode = Omit<NodeRow, 'CreateIndex' | 'ModifyIndex'>;
export type NewService = Omit<ServiceRow, 'CreateIndex' | 'ModifyIndex'>;
export type NewCheck = Omit<CheckRow, 'CreateIndex' | 'ModifyIndex'>;

export interface ServiceInstance {
  readonly node: string;
  readonly service: ServiceRow;
}

/** Set on the checks an operator's maintenance switch makes. */
export const NODE_MAINTENANCE_CHECK_ID = '_node_maintenance';
export const SERVICE_MAINTENANCE_PREFIX = '_service_maintenance:';

export function isMaintenanceCheck(checkId: string): boolean {
  return checkId === NODE_MAINTENANCE_CHECK_ID || checkId.startsWith(SERVICE_MAINTENANCE_PREFIX);
}

/** The service for which this instance accepts mesh traffic: a proxy's destination, or itself when natively integrated. */
export function connectDestination(service: NewService): string | undefined {
  if (service.Kind === 'connect-proxy') return service.Proxy.DestinationServiceName;
  return service.Connect.Native === true ? service.Service : undefined;
}

export function isCheckStatus(text: unknown): text is CheckStatus {
  return text === 'passing' || text === 'warning' || text === 'critical';
}

/** The worst of the checks; no checks pass. */
export function aggregateStatus(checks: Iterable<CheckRow>): AggregatedStatus {
  let worst: AggregatedStatus = 'passing';
  for (const check of checks) {
    if (isMaintenanceCheck(check.CheckID)) return 'maintenance';
    if (check.Status === 'critical') worst = 'critical';
    else if (check.Status === 'warning' && worst === 'passing') worst = 'warning';
  }
  return worst;
}
