import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RESOURCE_TYPES } from '../resource/type-url.ts';
import { decodeDeltaRequest, encodeDeltaRequest } from './discovery-codec.ts';
import { plainDeltaAnswer } from './plain-answer.ts';
import { encodeFields } from './wire.ts';

const NOTHING = { subscribe: [], unsubscribe: [], initialResourceVersions: new Map(), errorDetail: undefined };

test('an ACK is read without the protobuf library, and as that would read it', () => {
  for (const typeUrl of RESOURCE_TYPES) {
    const bytes = encodeDeltaRequest({ ...NOTHING, typeUrl, responseNonce: '4711' }, undefined);
    const answer = plainDeltaAnswer(bytes);
    expect(answer).toEqual({ ...NOTHING, node: undefined, typeUrl, responseNonce: '4711' });
    expect(decodeWhole(bytes)).toEqual(answer);
  }
});

test('what says more than an ACK, or less, is left to the protobuf library', () => {
  const [typeUrl] = RESOURCE_TYPES;
  const ack = { ...NOTHING, typeUrl, responseNonce: '1' };
  const others = [
    encodeDeltaRequest({ ...ack, subscribe: ['a'] }, undefined),
    encodeDeltaRequest({ ...ack, unsubscribe: ['a'] }, undefined),
    encodeDeltaRequest({ ...ack, initialResourceVersions: new Map([['a', '1']]) }, undefined),
    encodeDeltaRequest({ ...ack, errorDetail: 'no' }, undefined),
    encodeDeltaRequest({ ...ack, errorDetail: '' }, undefined),
    encodeDeltaRequest({ ...ack, typeUrl: 'type.example/other' }, undefined),
    encodeDeltaRequest({ ...ack, responseNonce: '' }, undefined),
    encodeDeltaRequest({ ...ack, responseNonce: 'é' }, undefined),
    encodeDeltaRequest({ ...ack, responseNonce: 'x'.repeat(128) }, undefined),
    Buffer.concat([encodeDeltaRequest(ack, undefined), encodeFields([{ field: 6, value: '2' }])]),
    encodeDeltaRequest(ack, undefined).subarray(0, -1),
    Buffer.alloc(0),
  ];
  for (const bytes of others) expect(plainDeltaAnswer(bytes)).toBeUndefined();
});

test('whatever is read as an ACK, the protobuf library reads the same', () => {
  const piece = fc.oneof(
    fc.record({
      field: fc.integer({ min: 1, max: 8 }),
      value: fc.oneof(fc.string(), fc.constantFrom(...RESOURCE_TYPES)),
    }),
    fc.constantFrom(...RESOURCE_TYPES).map((value) => ({ field: 2, value })),
    fc.nat(1_000).map((nonce) => ({ field: 6, value: String(nonce) })),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 4 }), fc.uint8Array({ maxLength: 3 }), (fields, tail) => {
      const bytes = Buffer.concat([encodeFields(fields), tail]);
      const answer = plainDeltaAnswer(bytes);
      if (answer !== undefined) expect(decodeWhole(bytes)).toEqual(answer);
    }),
  );
});

function decodeWhole(bytes: Buffer): unknown {
  // A copy whose fields are the other way round means the same, and is never read in the short way.
  const typeEnd = 2 + (bytes[1] ?? 0);
  return decodeDeltaRequest(Buffer.concat([bytes.subarray(typeEnd), bytes.subarray(0, typeEnd)]));
}
