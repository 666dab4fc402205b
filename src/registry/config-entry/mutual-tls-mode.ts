/** `MutualTLSMode` of `service-defaults` and `proxy-defaults`: its words, and what `mesh` has to say about them. */
import { ApiError } from '../api-error.ts';
import { textField } from '../input/fields.ts';
import type { JsonObject } from '../input/shape.ts';
import type { EntryView } from './chain-entries.ts';

const MODES = ['', 'strict', 'permissive'];

export function mutualTlsModeFaults(entry: JsonObject): string[] {
  const mode = textField(entry, 'MutualTLSMode');
  return MODES.includes(mode)
    ? []
    : [`Invalid MutualTLSMode ${JSON.stringify(mode)}. Must be one of "", "strict", or "permissive".`];
}

/** An entry that is permissive already stays writable when `mesh` forbids it afterwards; only becoming so is refused. */
export function refusePermissiveUnlessAllowed(stored: EntryView, entry: JsonObject, kind: string, name: string): void {
  if (kind !== 'service-defaults' && kind !== 'proxy-defaults') return;
  if (textField(entry, 'MutualTLSMode') !== 'permissive') return;
  if (textField(stored.get(kind, name) ?? {}, 'MutualTLSMode') === 'permissive') return;
  if (stored.get('mesh', 'mesh')?.['AllowEnablingPermissiveMutualTLS'] === true) return;
  throw new ApiError(
    500,
    'cannot set MutualTLSMode=permissive because AllowEnablingPermissiveMutualTLS=false in the mesh config entry',
  );
}
