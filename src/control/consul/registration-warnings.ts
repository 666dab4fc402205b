import { type Problem, warningAt } from '../translate/problem.ts';
import { type UnobeyedField, unobeyedFields } from './unobeyed-fields.ts';

const OF_UPSTREAM = /^Upstreams\[(\d+)\]\.(.+)$/;

/** What a registration's proxy block asks for and does not get, by name. What is not said here is obeyed, or a fault of its own. */
export function registrationWarnings(body: unknown, where: string): readonly Problem[] {
  return unobeyedFields('registration', body).map(({ path, written, why }) => {
    const shown = written === '' ? '' : ` = ${written}`;
    return warningAt(where, `"${labelOf(path, body)}${shown}" is not obeyed: ${why}`);
  });
}

/** As people write it in a registration: `proxy.mesh_gateway.mode`, `upstream api: mesh_gateway.mode`. */
function labelOf(path: UnobeyedField['path'], body: unknown): string {
  const [, at, rest] = OF_UPSTREAM.exec(path) ?? [];
  if (at === undefined || rest === undefined) return `proxy.${snakeCase(path)}`;
  return `upstream ${upstreamName(body, Number(at))}: ${snakeCase(rest)}`;
}

function upstreamName(body: unknown, at: number): string {
  const upstreams = typeof body === 'object' && body !== null ? Reflect.get(body, 'Upstreams') : undefined;
  const upstream: unknown = Array.isArray(upstreams) ? upstreams[at] : undefined;
  const name = typeof upstream === 'object' && upstream !== null ? Reflect.get(upstream, 'DestinationName') : undefined;
  return typeof name === 'string' ? name : `${at}`;
}

function snakeCase(path: string): string {
  return path
    .replace(/TLS/g, 'Tls')
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase();
}
