import { z } from 'zod';
import { type Problem, warningAt } from '../translate/problem.ts';
import { list, text } from './fields.ts';

const meshGateway = z
  .object({ Mode: text })
  .nullish()
  .transform((value) => value?.Mode ?? '');

const proxy = z.object({
  Mode: text,
  MeshGateway: meshGateway,
  EnvoyExtensions: list(z.unknown()),
  Upstreams: list(
    z.object({
      DestinationName: text,
      DestinationNamespace: text,
      DestinationPartition: text,
      MeshGateway: meshGateway,
    }),
  ),
});

/** What a registration asks for and does not get, by name. What is not said here is obeyed, or a fault of its own. */
export function registrationWarnings(body: unknown, where: string): readonly Problem[] {
  const read = proxy.safeParse(body);
  if (!read.success) return [];
  const { Mode: mode, MeshGateway: gateway } = read.data;
  const said: string[] = [];
  if (mode === 'transparent')
    said.push(
      '"proxy.mode = transparent" is not obeyed: only upstreams with a local_bind_port or socket are listened for',
    );
  if (usesGateway(gateway)) said.push(gatewayText('proxy.mesh_gateway', gateway));
  if (read.data.EnvoyExtensions.length > 0) said.push('"proxy.envoy_extensions" are not obeyed');
  for (const upstream of read.data.Upstreams) {
    const name = `upstream ${upstream.DestinationName}`;
    if (usesGateway(upstream.MeshGateway)) said.push(gatewayText(`${name}: mesh_gateway`, upstream.MeshGateway));
    for (const [field, value] of [
      ['destination_namespace', upstream.DestinationNamespace],
      ['destination_partition', upstream.DestinationPartition],
    ] as const) {
      if (value !== '' && value !== 'default')
        said.push(`"${name}: ${field} = ${value}" is not obeyed: the default one is asked`);
    }
  }
  return said.map((message) => warningAt(where, message));
}

function usesGateway(mode: string): boolean {
  return mode === 'local' || mode === 'remote';
}

function gatewayText(field: string, mode: string): string {
  return `"${field}.mode = ${mode}" is not obeyed: instances of another datacenter are called at their WAN addresses, without a gateway`;
}
