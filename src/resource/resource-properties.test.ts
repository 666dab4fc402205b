import fc from 'fast-check';
import { expect, test } from 'vitest';
import { messageType, nameOfTypeUrl } from './protos.ts';
import { buildMessage, decodeResource, decodeStaticJson, protoJson } from './resource.ts';
import { arbitraryJson } from './testing/arbitrary-json.ts';
import { assignment, cluster, listener, routeConfiguration } from './testing/valid-resources.ts';
import {
  CLUSTER_LOAD_ASSIGNMENT_TYPE,
  CLUSTER_TYPE,
  LISTENER_TYPE,
  RESOURCE_TYPES,
  ROUTE_CONFIGURATION_TYPE,
} from './type-url.ts';

const MESSAGES = [...RESOURCE_TYPES.map(nameOfTypeUrl), 'envoy.config.bootstrap.v3.Bootstrap'];

function built(fullName: string, json: unknown): Uint8Array {
  const result = buildMessage(fullName, json);
  if (!result.ok) throw new Error(JSON.stringify([result.faults, json]));
  return result.value;
}

test.each(MESSAGES)('%s: JSON to bytes to JSON to bytes gives the same bytes', (fullName) => {
  fc.assert(
    fc.property(arbitraryJson(messageType(fullName)), (json) => {
      const bytes = built(fullName, json);
      expect(Buffer.compare(built(fullName, protoJson(fullName, bytes)), bytes)).toBe(0);
    }),
    { numRuns: 60 },
  );
});

test.each(MESSAGES)('%s: the order of keys does not show in the bytes', (fullName) => {
  fc.assert(
    fc.property(arbitraryJson(messageType(fullName)), (json) => {
      expect(Buffer.compare(built(fullName, reversedKeys(json)), built(fullName, json))).toBe(0);
    }),
    { numRuns: 40 },
  );
});

test.each(RESOURCE_TYPES)('%s: whatever a valid message says, the decoder answers and never throws', (typeUrl) => {
  const fullName = nameOfTypeUrl(typeUrl);
  fc.assert(
    fc.property(arbitraryJson(messageType(fullName)), (json) => {
      const decoded = decodeResource(typeUrl, built(fullName, json));
      if (decoded.ok) expect(structuredClone(decoded.value)).toEqual(decoded.value);
      else expect(decoded.faults.length).toBeGreaterThan(0);
    }),
    { numRuns: 100 },
  );
});

const VALID = [
  [LISTENER_TYPE, listener()],
  [CLUSTER_TYPE, cluster()],
  [CLUSTER_LOAD_ASSIGNMENT_TYPE, assignment()],
  [ROUTE_CONFIGURATION_TYPE, routeConfiguration()],
] as const;

test.each(VALID)('%s: damaged bytes are answered and never throw', (typeUrl, json) => {
  const bytes = built(nameOfTypeUrl(typeUrl), json);
  const damage = fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(damage, fc.nat(bytes.length), (changes, length) => {
      const damaged = new Uint8Array(bytes.subarray(0, length));
      for (const [index, byte] of changes) if (index < damaged.length) damaged[index] = byte;
      const decoded = decodeResource(typeUrl, damaged);
      if (!decoded.ok) expect(decoded.faults.length).toBeGreaterThan(0);
    }),
    { numRuns: 300 },
  );
});

test.each(RESOURCE_TYPES)('%s: random bytes and random JSON are answered and never throw', (typeUrl) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      // By luck a few bytes may be a resource.
      expect(typeof decodeResource(typeUrl, bytes).ok).toBe('boolean');
    }),
  );
  fc.assert(
    fc.property(fc.jsonValue(), (json) => {
      expect(decodeStaticJson(typeUrl, json).ok).toBe(false);
    }),
  );
});

function reversedKeys(json: unknown): unknown {
  if (Array.isArray(json)) return json.map(reversedKeys);
  if (typeof json !== 'object' || json === null) return json;
  return Object.fromEntries(
    Object.entries(json)
      .reverse()
      .map(([key, value]) => [key, reversedKeys(value)]),
  );
}
