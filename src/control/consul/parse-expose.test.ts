import { describe, expect, test } from 'vitest';
import { parseAgentChecks, parseExposedChecks } from './parse-expose.ts';

const row = (fields: object = {}): object => ({
  Node: 'n1',
  CheckID: 'web-http',
  ServiceID: 'web-1',
  Type: 'http',
  ExposedPort: 21_500,
  Output: '',
  ...fields,
});
const pathAfter = (Output: string | null): unknown => parseExposedChecks([row({ Output })], undefined)[0];

describe('checks that an agent exposes', () => {
  test('are those with a port, of a service, that ask over HTTP or gRPC', () => {
    const checks = parseExposedChecks(
      [
        row({ CheckID: 'later', ExposedPort: 21_502 }),
        row({ CheckID: 'grpc', Type: 'grpc', ExposedPort: 21_501 }),
        row({ CheckID: 'direct', ExposedPort: 0 }),
        row({ CheckID: 'of the node', ServiceID: '' }),
        row({ CheckID: 'ttl', Type: 'ttl' }),
      ],
      undefined,
    );
    expect(checks).toEqual([
      { node: 'n1', checkId: 'grpc', serviceId: 'web-1', listenerPort: 21_501, kind: 'grpc' },
      { node: 'n1', checkId: 'later', serviceId: 'web-1', listenerPort: 21_502, kind: 'http', path: undefined },
    ]);
  });

  test.each([
    ['HTTP GET http://:21500/healthz?x=1: 200 OK Output: fine', '/healthz'],
    ['HTTP HEAD http://10.0.0.1:21500/a:b: 503 Service Unavailable Output: ', '/a:b'],
    ['HTTP GET http://[::1]:21500/six: 200 OK Output: ', '/six'],
    ['HTTP GET http://:21500: 200 OK Output: ', '/'],
    ['Get "http://:21500/healthz?x=1": dial tcp :21500: connect: connection refused', '/healthz'],
    ['Post "https://:21500/a%20b": context deadline exceeded', '/a%20b'],
  ])('tell their path by what their last run printed: %s', (output, path) => {
    expect(pathAfter(output)).toMatchObject({ path });
  });

  test.each([
    ['nothing was printed yet', ''],
    ['nothing is told', null],
    ['the run asked the application itself', 'HTTP GET http://127.0.0.1:8080/healthz: 200 OK Output: '],
    ['the text is the application’s own', 'see HTTP GET http://:21500/secret: 200 OK'],
    ['the path is longer than any', `HTTP GET http://:21500/${'x'.repeat(2_000)}: 200 OK Output: `],
  ])('tell no path where %s', (_why, output) => {
    expect(pathAfter(output)).toMatchObject({ path: undefined });
  });

  test('are the same rows where the agent itself lists them', () => {
    expect(parseAgentChecks({ 'web-http': row(), ttl: row({ Type: 'ttl' }) }, undefined)).toEqual(
      parseExposedChecks([row()], undefined),
    );
  });

  test('keep the path they had while a run tells none, and not at another port', () => {
    const known = parseExposedChecks([row({ Output: 'HTTP GET http://:21500/ok: 200 OK Output: ' })], undefined);
    expect(parseExposedChecks([row()], known)).toEqual(known);
    expect(parseExposedChecks([row({ ExposedPort: 21_501 })], known)).toMatchObject([{ path: undefined }]);
  });
});
