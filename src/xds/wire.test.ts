import fc from 'fast-check';
import { expect, test } from 'vitest';
import { messageType } from '../resource/protos.ts';
import { decodeDeltaResponse, decodeSotwResponse } from './discovery-codec.ts';
import { controlPlaneMessage, encodeDeltaResponse, encodeSotwResponse } from './discovery-responses.ts';
import { namedResource } from './fakes/memory-source.ts';
import { encodeFields, firstStringField } from './wire.ts';
import { encodedResource } from './xds.ts';

const name = fc.string({ unit: 'grapheme', maxLength: 300 });

test('an Any framed by hand is the Any of the protobuf library, byte for byte', () => {
  const any = messageType('google.protobuf.Any');
  fc.assert(
    fc.property(name, fc.uint8Array({ minLength: 1, maxLength: 40_000 }), (suffix, value) => {
      const typeUrl = `t/${suffix}`;
      const ours = encodedResource({ name: 'x', version: '1', typeUrl, message: Buffer.from(value) }).any;
      const theirs = any.encode(any.create({ type_url: typeUrl, value: Buffer.from(value) })).finish();
      expect(ours.equals(theirs)).toBe(true);
    }),
    { numRuns: 50 },
  );
});

test('responses framed by hand read back as they were meant, in both variants', () => {
  fc.assert(
    fc.property(fc.array(name.filter((text) => text !== '')), name, name, (names, version, nonce) => {
      const resources = names.map((one) => namedResource('t/T', one, version));
      const parts = {
        typeUrl: 't/T',
        version,
        nonce,
        resources,
        removedNames: names,
        controlPlane: controlPlaneMessage('weft'),
      };
      const sotw = decodeSotwResponse(encodeSotwResponse(parts));
      const delta = decodeDeltaResponse(encodeDeltaResponse(parts));
      expect(sotw).toMatchObject({ typeUrl: 't/T', version, nonce });
      expect(sotw.resources.map(({ message }) => firstStringField(message))).toEqual(names);
      expect(delta.resources.map((resource) => [resource.name, resource.version])).toEqual(
        names.map((one) => [one, version]),
      );
      expect(delta.removedNames).toEqual(names);
    }),
    { numRuns: 100 },
  );
});

test('the name in field 1 is found wherever it stands, the last one wins, and damage gives none', () => {
  const message = encodeFields([
    { field: 2, value: 'x' },
    { field: 1, value: 'first' },
    { field: 1, value: 'last' },
  ]);
  expect(firstStringField(message)).toBe('last');
  expect(firstStringField(Buffer.concat([Buffer.from([0x18, 0x96, 0x01, 0x25, 1, 2, 3, 4]), message]))).toBe('last');
  expect(firstStringField(message.subarray(0, -1))).toBeUndefined();
  expect(firstStringField(Buffer.from([0x0b]))).toBeUndefined();
  expect(firstStringField(Buffer.alloc(0))).toBeUndefined();
});

test('any bytes whatever give a name or none, and never an exception', () => {
  fc.assert(fc.property(fc.uint8Array(), (bytes) => void firstStringField(Buffer.from(bytes))));
});

test('why a name is not there is told in both variants, where clients that do not know the field pass over it', () => {
  const errors = [{ name: 'ghost', code: 5, message: 'nobody registered it' }];
  const parts = { typeUrl: 't/T', version: '1', nonce: 'n', resources: [], removedNames: ['ghost'], errors };
  const whole = { ...parts, controlPlane: controlPlaneMessage('weft') };
  const error = Buffer.concat([
    Buffer.from([0x0a, 7, 0x0a, 5]),
    Buffer.from('ghost'),
    Buffer.from([0x12, 24, 0x08, 5, 0x12, 20]),
    Buffer.from('nobody registered it'),
  ]);
  for (const [bytes, tag] of [
    [encodeSotwResponse(whole), 7],
    [encodeDeltaResponse(whole), 9],
  ] as const) {
    expect(bytes.subarray(-error.length - 2)).toEqual(
      Buffer.concat([Buffer.from([(tag << 3) | 2, error.length]), error]),
    );
  }
  expect(decodeDeltaResponse(encodeDeltaResponse(whole)).removedNames).toEqual(['ghost']);
});
