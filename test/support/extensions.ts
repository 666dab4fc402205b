import type { HttpFilter } from '../../src/resource/http-connection-manager.ts';
import type { TypedExtension } from '../../src/resource/route-configuration.ts';
import { buildMessage } from '../../src/resource/strict-builder.ts';

/** A typed extension from ProtoJSON; what the builder refuses fails the test that asked for it. */
export function buildExtension(fullName: string, json: Readonly<Record<string, unknown>> = {}): TypedExtension {
  const built = buildMessage(fullName, json);
  if (!built.ok) throw new Error(built.faults.map(({ field, message }) => `${field}: ${message}`).join('; '));
  return { typeUrl: `type.googleapis.com/${fullName}`, value: built.value };
}

/** An HTTP filter of a connection manager. */
export function httpFilter(name: string, fullName: string, json: Readonly<Record<string, unknown>> = {}): HttpFilter {
  return { name, isOptional: false, disabled: false, config: buildExtension(fullName, json) };
}
