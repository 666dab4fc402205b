import { describe, expect, it } from 'vitest';
import { NO_GRPC_STATUS, StreamRecord } from '../stream-record.ts';
import { spanOfRecord } from './span-of-record.ts';

function call(overrides: Partial<StreamRecord>): StreamRecord {
  const record = Object.assign(new StreamRecord(), { method: 'POST', path: '/shop.v1.Cart/Add', status: 200 });
  return Object.assign(record, overrides);
}

describe('spans of gRPC calls', () => {
  it('are named after the method and say the status by name', () => {
    const span = spanOfRecord(call({ grpcStatus: 0 }));
    expect(span.name).toBe('shop.v1.Cart/Add');
    expect(span.attributes).toMatchObject({
      'rpc.system.name': 'grpc',
      'rpc.method': 'shop.v1.Cart/Add',
      'rpc.response.status_code': 'OK',
    });
    expect(span.error).toBeUndefined();
    expect(span.attributes).not.toHaveProperty('error.type');
  });

  it.each([
    ['outbound', 5, 'NOT_FOUND'],
    ['inbound', 5, undefined],
    ['inbound', 13, 'INTERNAL'],
    ['inbound', 4, 'DEADLINE_EXCEEDED'],
  ] as const)('%s, status %i: error type %s', (direction, grpcStatus, errorType) => {
    const span = spanOfRecord(call({ direction, grpcStatus }));
    expect(span.attributes['error.type']).toBe(errorType);
    expect(span.error).toBe(errorType === undefined ? undefined : '');
  });

  it('without a status say none, and a path that is no method is _OTHER', () => {
    const span = spanOfRecord(call({ grpcStatus: NO_GRPC_STATUS, path: '/a/b/c?d' }));
    expect(span.name).toBe('_OTHER');
    expect(span.attributes).not.toHaveProperty('rpc.response.status_code');
  });

  it('other requests have none of it', () => {
    expect(Object.keys(spanOfRecord(call({})).attributes).filter((name) => name.startsWith('rpc.'))).toEqual([]);
  });
});
