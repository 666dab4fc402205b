import { isIP } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ipFamily } from './ip-literal.ts';

test.each([
  '127.0.0.1',
  '0.0.0.0',
  '255.255.255.255',
  '256.0.0.1',
  '1.2.3',
  '1.2.3.4.5',
  '01.2.3.4',
  '1.2.3.4 ',
  '',
  '::',
  '::1',
  '1::',
  '1:2:3:4:5:6:7:8',
  '1:2:3:4:5:6:7',
  '1:2:3:4:5:6:7:8:9',
  '1::2::3',
  ':::',
  ':1',
  '1:',
  '::ffff:1.2.3.4',
  '::1.2.3.4.5',
  '1.2.3.4::',
  'fe80::1%eth0',
  'fe80::1%',
  '12345::',
  'g::',
  'localhost',
  '1:2:3:4:5:6:7::',
  '1:2:3:4:5:6:1.2.3.4',
  '::1:2:3:4:5:6:7',
])('%j is judged as the platform judges it', (text) => {
  expect(ipFamily(text)).toBe(isIP(text));
});

test('generated addresses and near misses are judged as the platform judges them', () => {
  const piece = fc.constantFrom(':', '::', '.', '0', '1', 'ff', 'abcd', '255', '1.2.3.4');
  const text = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join('')),
  );
  fc.assert(fc.property(text, (address) => ipFamily(address) === isIP(address)));
});
