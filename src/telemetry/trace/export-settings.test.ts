import { describe, expect, it } from 'vitest';
import { readTraceExportSettings } from './trace.ts';

const settings = (environment: Record<string, string>) => readTraceExportSettings(environment).settings;

describe('trace export settings', () => {
  it.each([
    ['nothing set', {}],
    ['a blank endpoint', { OTEL_EXPORTER_OTLP_ENDPOINT: ' ' }],
    ['the SDK disabled', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://a', OTEL_SDK_DISABLED: 'TRUE' }],
    ['no exporter wanted', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://a', OTEL_TRACES_EXPORTER: 'none' }],
  ])('are off with %s', (_, environment) => {
    expect(readTraceExportSettings(environment)).toEqual({ settings: undefined, faults: [] });
  });

  it.each([
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318' }, 'http://c:4318/v1/traces'],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318/base/' }, 'http://c:4318/base/v1/traces'],
    [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://c:4318/as-is' }, 'http://c:4318/as-is'],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://a', OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://b/x' }, 'http://b/x'],
    [{ OTEL_TRACES_EXPORTER: 'otlp' }, 'http://localhost:4318/v1/traces'],
    [{ OTEL_TRACES_EXPORTER: 'otlp', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, 'http://localhost:4317/'],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'c:4317', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, 'https://c:4317/'],
    [
      {
        OTEL_EXPORTER_OTLP_ENDPOINT: 'c:4317',
        OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
        OTEL_EXPORTER_OTLP_INSECURE: 'true',
      },
      'http://c:4317/',
    ],
  ])('send %o to %s', (environment: Record<string, string>, url) => expect(settings(environment)?.url).toBe(url));

  it('prefer the variables of traces', () => {
    expect(
      settings({
        OTEL_EXPORTER_OTLP_ENDPOINT: 'http://a',
        OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
        OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'grpc',
        OTEL_EXPORTER_OTLP_TIMEOUT: '1',
        OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: '2',
        OTEL_EXPORTER_OTLP_HEADERS: 'a=1,b=1',
        OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'b=2',
        OTEL_EXPORTER_OTLP_TRACES_COMPRESSION: 'gzip',
        OTEL_SERVICE_NAME: 'shop',
      }),
    ).toMatchObject({
      protocol: 'grpc',
      timeoutMs: 2,
      headers: { a: '1', b: '2' },
      compression: 'gzip',
      serviceName: 'shop',
    });
  });

  it('name every variable they cannot use, and never a header value', () => {
    const { settings: read, faults } = readTraceExportSettings({
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://a',
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_EXPORTER_OTLP_TIMEOUT: 'soon',
      OTEL_EXPORTER_OTLP_HEADERS: 'secret-without-equals',
      OTEL_EXPORTER_OTLP_COMPRESSION: 'zstd',
      OTEL_BSP_MAX_QUEUE_SIZE: '-1',
    });
    expect(read).toMatchObject({
      protocol: 'http/protobuf',
      timeoutMs: 10_000,
      compression: 'none',
      maxQueueSize: 4_096,
    });
    expect(faults.map((fault) => fault.split(':')[0] ?? '').toSorted((a, b) => a.localeCompare(b))).toEqual([
      'OTEL_BSP_MAX_QUEUE_SIZE',
      'OTEL_EXPORTER_OTLP_COMPRESSION',
      'OTEL_EXPORTER_OTLP_HEADERS',
      'OTEL_EXPORTER_OTLP_PROTOCOL',
      'OTEL_EXPORTER_OTLP_TIMEOUT',
    ]);
    expect(faults.join()).not.toContain('secret');
  });

  it('are off, with the reason, where the endpoint is no URL', () => {
    expect(readTraceExportSettings({ OTEL_EXPORTER_OTLP_ENDPOINT: 'ftp://a' })).toEqual({
      settings: undefined,
      faults: ['OTEL_EXPORTER_OTLP_ENDPOINT: ftp://a is not an http:// or https:// URL; traces are not exported'],
    });
  });
});
