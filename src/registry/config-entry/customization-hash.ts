/**
 * Consul's eight digits for a chain that its asker wanted otherwise: FNV-1 over the overrides that mattered, field by field. Clients
 * put it into names, so that it has to be the same from every agent.
 */
export interface EffectiveOverrides {
  readonly meshGatewayMode: string;
  readonly protocol: string;
  readonly connectTimeoutNanos: number;
}

const OFFSET = 0xcbf29ce484222325n;
const PRIME = 0x100000001b3n;
const MASK = 0xffffffffffffffffn;

export function customizationHash({ meshGatewayMode, protocol, connectTimeoutNanos }: EffectiveOverrides): string {
  const gateway = structHash('MeshGatewayConfig', [['Mode', textHash(meshGatewayMode)]]);
  const whole = structHash('', [
    ['OverrideMeshGateway', gateway],
    ['OverrideProtocol', textHash(protocol)],
    ['OverrideConnectTimeout', fnv(wordBytes(BigInt(Math.round(connectTimeoutNanos))))],
  ]);
  return whole.toString(16).slice(0, 8);
}

/** A struct's hash does not depend on the order of its fields. */
function structHash(name: string, fields: readonly (readonly [string, bigint])[]): bigint {
  return fields.reduce(
    (hash, [field, value]) => hash ^ fnv([...wordBytes(textHash(field)), ...wordBytes(value)]),
    textHash(name),
  );
}

function textHash(text: string): bigint {
  return fnv([...Buffer.from(text, 'utf8')]);
}

function fnv(bytes: readonly number[]): bigint {
  return bytes.reduce((hash, byte) => ((hash * PRIME) & MASK) ^ BigInt(byte), OFFSET);
}

function wordBytes(word: bigint): readonly number[] {
  return Array.from({ length: 8 }, (_, at) => Number((word >> BigInt(8 * at)) & 0xffn));
}
