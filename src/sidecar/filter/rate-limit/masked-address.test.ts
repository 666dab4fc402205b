import { expect, it } from 'vitest';
import { maskedAddress } from './masked-address.ts';

it.each([
  ['192.168.1.77', 24, 128, '192.168.1.0/24'],
  ['192.168.1.77', 32, 128, '192.168.1.77/32'],
  ['192.168.255.77', 17, 128, '192.168.128.0/17'],
  ['192.168.1.77', 0, 128, '0.0.0.0/0'],
  ['2001:abcd:ef01:2345:6789:abcd:ef01:234', 32, 64, '2001:abcd:ef01:2345::/64'],
  ['2001:ABCD::1', 32, 128, '2001:abcd::1/128'],
  ['2001:abcd:ef01:2345:6789:abcd:ef01:234', 32, 20, '2001:a000::/20'],
  ['fe80::1%eth0', 32, 64, 'fe80::/64'],
  ['::ffff:10.1.2.3', 32, 112, '::ffff:10.1.0.0/112'],
  ['::', 32, 0, '::/0'],
])('%s of %i or %i bits is %s', (address, v4, v6, expected) => {
  expect(maskedAddress(address, v4, v6)).toBe(expected);
});

it('what is no address has no mask', () => {
  expect(maskedAddress('', 32, 128)).toBeUndefined();
});
