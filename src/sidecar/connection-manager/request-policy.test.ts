import { describe, expect, it } from 'vitest';
import { plainRequest } from '../../../test/support/plain-fields.ts';
import { httpConnectionManager } from '../../../test/support/resources.ts';
import { seededRandom } from '../../base/random.ts';
import { HeaderEdits } from '../../http/header-edits.ts';
import type { HttpConnectionManager } from '../../resource/http-connection-manager.ts';
import { RequestIds } from './request-id.ts';
import { applyRequestPolicy } from './request-policy.ts';

const FROM_AN_INGRESS: readonly (readonly [string, string])[] = [
  ['x-forwarded-for', '203.0.113.9'],
  ['x-forwarded-proto', 'https'],
  ['x-forwarded-host', 'shop.example'],
  ['x-request-id', 'given'],
  ['x-weft-not-processed', 'forged'],
];

function afterPolicy(manager: Partial<HttpConnectionManager>): Record<string, string> {
  const head = plainRequest('/', FROM_AN_INGRESS);
  const edits = new HeaderEdits();
  applyRequestPolicy(httpConnectionManager(manager), head, edits, '10.0.0.7', new RequestIds(seededRandom(1)));
  const fields: Record<string, string> = {};
  for (let index = 0; index < head.fields.count; index++) {
    if (!edits.isRemoved(index)) fields[head.fields.nameAt(index)] = head.fields.valueAt(index);
  }
  for (let pair = 0; pair < edits.added.length; pair += 2)
    fields[edits.added[pair] ?? ''] = edits.added[pair + 1] ?? '';
  return fields;
}

describe('what a connection manager does to the fields of a request', () => {
  it('inside the mesh: passes on what the caller says, and claims about processing never', () => {
    expect(afterPolicy({})).toEqual({
      'x-forwarded-for': '203.0.113.9',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'shop.example',
      'x-request-id': 'given',
    });
  });

  it('behind a trusted hop: appends the caller and keeps what the hop said', () => {
    const fields = afterPolicy({ useRemoteAddress: true, xffNumTrustedHops: 1, preserveExternalRequestId: true });
    expect(fields).toEqual({
      'x-forwarded-for': '203.0.113.9, 10.0.0.7',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'shop.example',
      'x-request-id': 'given',
    });
  });

  it('at the edge: believes nothing', () => {
    const fields = afterPolicy({ useRemoteAddress: true });
    expect(fields).toMatchObject({ 'x-forwarded-for': '203.0.113.9, 10.0.0.7', 'x-forwarded-proto': 'http' });
    expect(fields['x-request-id']).not.toBe('given');
    expect(fields).not.toHaveProperty('x-forwarded-host');
  });
});
