/** The topology with addresses: which process listens where, and what each is started with. Pure, given the ports. */
import type { ChildSpec } from './child-processes.ts';
import type { Registration } from './registration.ts';
import type { SampleServiceInput } from './sample-service-options.ts';
import { ENTRY_SERVICE, instanceId, LOAD_SERVICE, type ServiceSpec, upstreamsOf } from './topology.ts';

export interface MeshPorts {
  /** Undefined: somebody else's Consul. */
  readonly registry: number | undefined;
  readonly xds: number;
  readonly console: number;
  readonly overview: number;
}

export interface PlannedSidecar {
  readonly proxyId: string;
  readonly service: string;
  readonly adminPort: number;
}

export interface PlannedInstance {
  readonly spec: ServiceSpec;
  readonly options: SampleServiceInput;
  readonly sidecar: PlannedSidecar;
}

export interface MeshPlan {
  readonly registryUrl: string;
  readonly ports: MeshPorts;
  readonly instances: readonly PlannedInstance[];
  readonly load: { readonly registration: Registration; readonly sidecar: PlannedSidecar; readonly entryPort: number };
}

/** Services end first, so that they can still deregister; the registry ends last. */
const PHASE = { service: 1, sidecar: 2, control: 3, registry: 4 } as const;
const DRAIN_TIMEOUT = '2s';

/** How many ports `planMesh` takes from its list. */
export function portsNeeded(services: readonly ServiceSpec[]): number {
  // App, sidecar, admin; one for each upstream. The load has a sidecar, an admin and one upstream.
  return services.reduce((sum, spec) => sum + spec.instances * (3 + upstreamsOf(spec).length), 3);
}

export function planMesh(
  services: readonly ServiceSpec[],
  registryUrl: string,
  ports: MeshPorts,
  freePorts: readonly number[],
): MeshPlan {
  const remaining = [...freePorts];
  const take = (): number => {
    const port = remaining.shift();
    if (port === undefined)
      throw new Error(`the demo's plan needs ${portsNeeded(services)} ports, got ${freePorts.length}`);
    return port;
  };
  const instances = services.flatMap((spec) =>
    Array.from({ length: spec.instances }, (_, at) =>
      planInstance(spec, instanceId(spec.name, at + 1), registryUrl, take),
    ),
  );
  const entryPort = take();
  const loadId = instanceId(LOAD_SERVICE, 1);
  return {
    registryUrl,
    ports,
    instances,
    load: {
      registration: {
        name: LOAD_SERVICE,
        instance: loadId,
        port: ports.overview,
        sidecarPort: take(),
        upstreams: [{ name: ENTRY_SERVICE, localPort: entryPort }],
        checkIntervalMs: 1_000,
      },
      sidecar: { proxyId: proxyIdOf(loadId), service: LOAD_SERVICE, adminPort: take() },
      entryPort,
    },
  };
}

function planInstance(spec: ServiceSpec, id: string, registryUrl: string, take: () => number): PlannedInstance {
  return {
    spec,
    options: {
      name: spec.name,
      instance: id,
      port: take(),
      sidecarPort: take(),
      registryUrl,
      upstreams: upstreamsOf(spec).map((name) => ({ name, localPort: take() })),
      stages: spec.stages.map((stage) => [...stage]),
      latency: spec.latency,
      errorRate: spec.errorRate,
    },
    sidecar: { proxyId: proxyIdOf(id), service: spec.name, adminPort: take() },
  };
}

export function sidecarsOf(plan: MeshPlan): PlannedSidecar[] {
  return [...plan.instances.map((instance) => instance.sidecar), plan.load.sidecar];
}

export function registryChild(plan: MeshPlan): ChildSpec | undefined {
  const { registry } = plan.ports;
  if (registry === undefined) return undefined;
  return { name: 'registry', phase: PHASE.registry, arguments: ['registry', '--port', String(registry)] };
}

export function controlChild(plan: MeshPlan, mutualTls: string): ChildSpec {
  const { xds, console } = plan.ports;
  const options = ['--consul', plan.registryUrl, '--port', String(xds), '--console-port', String(console)];
  return { name: 'control server', phase: PHASE.control, arguments: ['control', ...options, '--mtls', mutualTls] };
}

export function serviceChild(instance: PlannedInstance): ChildSpec {
  const options = ['--options', JSON.stringify(instance.options)];
  return { name: instance.options.instance, phase: PHASE.service, arguments: ['demo-service', ...options] };
}

export function sidecarChild(plan: MeshPlan, sidecar: PlannedSidecar): ChildSpec {
  const options = [
    ...['--proxy-id', sidecar.proxyId, '--service', sidecar.service],
    ...['--control', `127.0.0.1:${plan.ports.xds}`, '--admin', `127.0.0.1:${sidecar.adminPort}`],
    ...['--concurrency', '1', '--drain-timeout', DRAIN_TIMEOUT, '--wait-for-config', '60s', '--no-state'],
  ];
  return { name: sidecar.proxyId, phase: PHASE.sidecar, arguments: ['sidecar', ...options] };
}

function proxyIdOf(instance: string): string {
  return `${instance}-sidecar-proxy`;
}
