import { expect, test } from 'vitest';
import { refuseKeysInTheClear } from './mutual-tls-option.ts';

test.each([
  ['off', '0.0.0.0', undefined],
  ['strict', '127.0.0.1', undefined],
  ['permissive', '::1', undefined],
  ['strict', 'localhost', undefined],
  ['strict', '0.0.0.0', '/etc/weft/ca.pem'],
] as const)('--mtls %s is served on %s (client authority: %s)', (mtls, host, tlsClientCa) => {
  expect(() => refuseKeysInTheClear({ mtls, host, tlsClientCa })).not.toThrow();
});

test.each([
  ['strict', '0.0.0.0'],
  ['permissive', '10.0.0.1'],
  ['strict', '::'],
  ['strict', '127.example.org'],
] as const)('--mtls %s is not served on %s where nobody proves who they are', (mtls, host) => {
  expect(() => refuseKeysInTheClear({ mtls, host, tlsClientCa: undefined })).toThrow('--tls-client-ca');
});
