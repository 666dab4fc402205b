import { z } from 'zod';
import { type Expose, type ExposedCheck, type ExposedPath, nodeName } from '../translate/catalog.ts';
import { flag, list, port, text } from './fields.ts';

/** What is reachable without the mesh's rules: `expose` of registrations and entries, and the checks that agents expose. */

const exposedPath = z
  .object({
    Path: z.string().startsWith('/').max(1_024),
    LocalPathPort: z.number().int().min(1).max(65_535),
    ListenerPort: z.number().int().min(1).max(65_535),
    Protocol: z.enum(['http', 'http2', '']).nullish(),
  })
  .transform(
    (value): ExposedPath => ({
      path: value.Path,
      localPathPort: value.LocalPathPort,
      listenerPort: value.ListenerPort,
      protocol: value.Protocol === 'http2' ? 'http2' : 'http',
    }),
  );

export const expose = z
  .object({ Checks: flag, Paths: list(exposedPath) })
  .nullish()
  .transform((value): Expose => ({ checks: value?.Checks ?? false, paths: value?.Paths ?? [] }));

const checkRow = z.object({
  Node: z.string().min(1),
  CheckID: z.string().min(1),
  ServiceID: text,
  Type: text,
  ExposedPort: port,
  // Only its beginning says what was asked; the rest is the application's own text, of any length.
  Output: z.string().nullish(),
});

/** Agents allow ports for so many checks (`ports.expose_min_port` to `expose_max_port`: 256 of them) and more by choice. */
const MAX_EXPOSED_CHECKS = 10_000;
const OUTPUT_HEAD_CHARS = 4_096;
/** `HTTP GET http://:21500/health: 200 OK Output: …` and, where nothing answered, `Get "http://:21500/health": dial tcp …`. */
const ASKED_URL =
  /^(?:HTTP [A-Z]+ |[A-Z][a-z]+ ")https?:\/\/(?:\[[^\]\s]*\]|[^/\s"?#:[]*):(\d+)(\/[^\s"?#]*)?(?:[?#][^\s"]*)?(?::|")/;

/**
 * Reads `/v1/health/node/:node`: the checks that the node's agent runs through the sidecars' listeners. Consul's API tells
 * a check's port and kind, and never its URL; but the output of each run begins with it. The output of an agent that has not
 * run the check, or has not told yet, leaves the path as it was known before.
 */
export function parseExposedChecks(
  body: unknown,
  previous: readonly ExposedCheck[] | undefined,
): readonly ExposedCheck[] {
  return exposedChecks(body, previous);
}

const byId = z
  .record(z.string(), z.unknown())
  .nullish()
  .transform((value) => Object.values(value ?? {}));

/** Reads `/v1/agent/checks`, which is of the same rows by their ids: those of the agent that answers, as they are now. */
export function parseAgentChecks(
  body: unknown,
  previous: readonly ExposedCheck[] | undefined,
): readonly ExposedCheck[] {
  return exposedChecks(byId.parse(body), previous);
}

function exposedChecks(body: unknown, previous: readonly ExposedCheck[] | undefined): readonly ExposedCheck[] {
  const rows = z.array(checkRow).max(MAX_EXPOSED_CHECKS).nullish().parse(body) ?? [];
  return rows
    .filter((row) => row.ExposedPort > 0 && row.ServiceID !== '' && (row.Type === 'http' || row.Type === 'grpc'))
    .map((row): ExposedCheck => {
      const { Node: node, CheckID: checkId, ServiceID: service, ExposedPort: listenerPort } = row;
      const named = { node: nodeName(node), checkId, serviceId: service, listenerPort };
      if (row.Type === 'grpc') return { ...named, kind: 'grpc' };
      const before = previous?.find(
        (check) => check.checkId === checkId && check.listenerPort === listenerPort && check.kind === 'http',
      );
      const known = before?.kind === 'http' ? before.path : undefined;
      return { ...named, kind: 'http', path: askedPath(row.Output ?? '', row.ExposedPort) ?? known };
    })
    .sort((a, b) => a.listenerPort - b.listenerPort);
}

/** The path that the check's last run asked for, if it asked through the exposed port. */
function askedPath(output: string, exposedPort: number): string | undefined {
  const [, written = '', path = '/'] = ASKED_URL.exec(output.slice(0, OUTPUT_HEAD_CHARS)) ?? [];
  return Number(written) === exposedPort && path.length <= MAX_PATH_CHARS ? path : undefined;
}

const MAX_PATH_CHARS = 1_024;
