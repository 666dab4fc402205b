import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { plainFields } from '../../../test/support/plain-fields.ts';
import { encodeGrpcMessage, GrpcMessageCounter, grpcTimeoutMs, isGrpcContentType, parseGrpcTimeout } from './grpc.ts';

describe('grpc-timeout', () => {
  it.each([
    ['1H', 3_600_000],
    ['2M', 120_000],
    ['3S', 3_000],
    ['4m', 4],
    ['5u', 0.005],
    ['6n', 0.000006],
    ['0S', 0],
    ['00000001S', 1_000],
    ['99999999H', 359_999_996_400_000],
  ])('%s', (text, expected) => {
    expect(parseGrpcTimeout(text)).toBeCloseTo(expected, 9);
  });

  it.each(['', 'S', '1', '100000000S', '-1S', '+1S', '1.5S', ' 1S', '1S ', '1s', '1h', '0x1S', '1SS', '1e3S', '٣S'])(
    'refuses %j',
    (text) => expect(parseGrpcTimeout(text)).toBeUndefined(),
  );

  it('of two, none counts', () => {
    expect(grpcTimeoutMs(plainFields([['grpc-timeout', '1S']]))).toBe(1_000);
    const two = plainFields([
      ['grpc-timeout', '1S'],
      ['grpc-timeout', '2S'],
    ]);
    expect(grpcTimeoutMs(two)).toBeUndefined();
    expect(grpcTimeoutMs(plainFields([]))).toBeUndefined();
  });
});

describe('content types', () => {
  it.each([
    ['application/grpc', true],
    ['application/grpc+proto', true],
    ['application/grpc; charset=utf-8', true],
    ['application/grpc-web', false],
    ['application/grpc-web-text+proto', false],
    ['application/grpcx', false],
    ['application/json', false],
    [undefined, false],
  ])('%s: %s', (contentType, expected) => {
    expect(isGrpcContentType(contentType)).toBe(expected);
  });
});

it('messages are percent-encoded where they are not visible ASCII, and a colon is', () => {
  expect(encodeGrpcMessage('RBAC: access denied')).toBe('RBAC: access denied');
  expect(encodeGrpcMessage('50 %\né')).toBe('50 %25%0A%C3%A9');
});

it('messages are counted however the bytes are cut', () => {
  const lengths = fc.array(fc.nat({ max: 300 }), { maxLength: 8 });
  fc.assert(
    fc.property(lengths, fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (sizes, cuts) => {
      const parts = sizes.map((size) => {
        const message = Buffer.alloc(5 + size, 0xff);
        message.writeUInt8(0, 0);
        message.writeUInt32BE(size, 1);
        return message;
      });
      const bytes = Buffer.concat(parts);
      const counter = new GrpcMessageCounter();
      for (let at = 0, cut = 0; at < bytes.length; cut++) {
        const end = Math.min(bytes.length, at + (cuts[cut % cuts.length] ?? 1));
        counter.add(bytes, at, end);
        at = end;
      }
      expect(counter.messages).toBe(sizes.length);
    }),
  );
});
