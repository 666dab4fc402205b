import type { TlsMaterials } from '../../transport-socket/transport-socket.ts';
import type { WorkerUpdate } from '../config/worker-update.ts';

/** Secrets and files before what needs them; contexts see them at their next handshake. */
export function applyTlsMaterials(materials: TlsMaterials, update: WorkerUpdate): void {
  for (const secret of update.secrets) materials.setSecret(secret);
  for (const { path, text } of update.files) materials.setFile(path, text);
  for (const name of update.removedSecrets) materials.removeSecret(name);
  for (const path of update.removedFiles) materials.removeFile(path);
}
