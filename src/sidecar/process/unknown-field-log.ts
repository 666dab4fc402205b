import { unknownFields } from '../../resource/unknown-fields.ts';
import type { Logger } from '../../telemetry/log/log.ts';

/** Each field is told of once; a control plane that is much newer than we are fills the log no further than this. */
const MAX_TOLD_FIELDS = 200;

/** Tells of fields in accepted resources that this version does not know and that therefore have no effect. */
export class UnknownFieldLog {
  readonly #log: Logger;
  readonly #told = new Set<string>();

  constructor(log: Logger) {
    this.#log = log;
  }

  look(typeUrl: string, name: string, message: Uint8Array): void {
    if (this.#told.size >= MAX_TOLD_FIELDS) return;
    const fields = unknownFields(typeUrl, message).filter((field) => !this.#told.has(`${typeUrl} ${field}`));
    if (fields.length === 0) return;
    for (const field of fields) this.#told.add(`${typeUrl} ${field}`);
    this.#log.warn({ typeUrl, name, fields }, 'fields that this sidecar does not know have no effect');
  }
}
