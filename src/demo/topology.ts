/** The sample mesh as plain data: which services, how many of each, who calls whom and how, who is slow and who fails. */
import type { LatencyDistribution } from './latency.ts';

export interface ServiceSpec {
  readonly name: string;
  readonly instances: number;
  /** What one request causes: stages one after the other, the calls of a stage at the same time. */
  readonly stages: readonly (readonly string[])[];
  readonly latency: LatencyDistribution;
  /** Share of requests answered with an error of its own, 0 to 1. */
  readonly errorRate: number;
  /** For people. */
  readonly remark: string;
}

/** The service the load comes from: no process of its own, only a sidecar that carries its calls. */
export const LOAD_SERVICE = 'load';
export const ENTRY_SERVICE = 'storefront';

export const SERVICES: readonly ServiceSpec[] = [
  {
    name: ENTRY_SERVICE,
    instances: 1,
    stages: [['catalog', 'cart', 'recommendations']],
    latency: { medianMs: 1, p99Ms: 4 },
    errorRate: 0,
    remark: 'asks three services at the same time',
  },
  {
    name: 'catalog',
    instances: 2,
    stages: [['inventory']],
    latency: { medianMs: 3, p99Ms: 12 },
    errorRate: 0,
    remark: 'two instances',
  },
  {
    name: 'cart',
    instances: 1,
    stages: [['inventory'], ['pricing']],
    latency: { medianMs: 2, p99Ms: 8 },
    errorRate: 0,
    remark: 'asks two services one after the other',
  },
  {
    name: 'recommendations',
    instances: 1,
    stages: [],
    latency: { medianMs: 40, p99Ms: 150 },
    errorRate: 0,
    remark: 'slow',
  },
  {
    name: 'inventory',
    instances: 2,
    stages: [],
    latency: { medianMs: 2, p99Ms: 10 },
    errorRate: 0,
    remark: 'two instances',
  },
  {
    name: 'pricing',
    instances: 1,
    stages: [],
    latency: { medianMs: 2, p99Ms: 8 },
    errorRate: 0.03,
    remark: 'answers 3 % of requests with an error of its own',
  },
];

/** The services a service calls, each once, in the order of the stages. */
export function upstreamsOf(spec: ServiceSpec): string[] {
  return [...new Set(spec.stages.flat())];
}

/** What Consul calls the instance, `catalog-2`; its sidecar is `catalog-2-sidecar-proxy`. */
export function instanceId(service: string, ordinal: number): string {
  return `${service}-${ordinal}`;
}
