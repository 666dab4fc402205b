import { decodeHttpFilterConfig } from '../../resource/decode-extension.ts';
import type { HttpFilter } from '../../resource/http-connection-manager.ts';
import type { Listener } from '../../resource/listener.ts';
import { chainsOf } from './references.ts';

const NONE: ReadonlySet<string> = new Set();
const JWT_AUTHN = /\/envoy\.extensions\.filters\.http\.jwt_authn\.v3\./;

/** Listeners never change in place, and are asked about at every change of anything. */
const known = new WeakMap<Listener, ReadonlySet<string>>();

/** Files that hold the keys of a listener's JWT providers (`local_jwks.filename`). */
export function keyFilesOf(listener: Listener): ReadonlySet<string> {
  let paths = known.get(listener);
  if (paths === undefined) {
    paths = new Set(filtersOf(listener).flatMap(pathsIn));
    if (paths.size === 0) paths = NONE;
    known.set(listener, paths);
  }
  return paths;
}

function filtersOf(listener: Listener): readonly HttpFilter[] {
  return chainsOf(listener).flatMap(({ filters }) =>
    filters.flatMap((filter) => (filter.kind === 'httpConnectionManager' ? filter.config.httpFilters : [])),
  );
}

function pathsIn({ config }: HttpFilter): readonly string[] {
  if (!JWT_AUTHN.test(config.typeUrl)) return [];
  const decoded = decodeHttpFilterConfig(config);
  if (!decoded.ok || decoded.value.kind !== 'jwtAuthn') return [];
  return [...decoded.value.providers.values()].flatMap(({ keys }) => (keys.kind === 'file' ? [keys.path] : []));
}
