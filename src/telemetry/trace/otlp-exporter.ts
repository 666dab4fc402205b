import { readFile } from 'node:fs/promises';
import type { SpanExporter as SdkSpanExporter } from '@opentelemetry/sdk-trace';
import type { TraceExportSettings } from './export-settings.ts';

interface TlsFiles {
  readonly authorities: Buffer | undefined;
  readonly certificate: Buffer | undefined;
  readonly key: Buffer | undefined;
}

/**
 * The SDK's OTLP exporter for the settings. Everything is passed explicitly, since the exporters would otherwise look
 * into the process's environment themselves. Each is loaded only when asked for: the gRPC one takes a third of a second.
 */
export async function otlpExporter(settings: TraceExportSettings): Promise<SdkSpanExporter> {
  const tls = await readTlsFiles(settings);
  return settings.protocol === 'grpc' ? grpcExporter(settings, tls) : httpExporter(settings, tls);
}

async function httpExporter(settings: TraceExportSettings, tls: TlsFiles): Promise<SdkSpanExporter> {
  const [{ OTLPTraceExporter }, { CompressionAlgorithm }] = await Promise.all([
    import('@opentelemetry/exporter-trace-otlp-proto'),
    import('@opentelemetry/otlp-exporter-base'),
  ]);
  return new OTLPTraceExporter({
    url: settings.url,
    headers: { ...settings.headers },
    timeoutMillis: settings.timeoutMs,
    compression: settings.compression === 'gzip' ? CompressionAlgorithm.GZIP : CompressionAlgorithm.NONE,
    httpAgentOptions: {
      keepAlive: true,
      ...(tls.authorities === undefined ? {} : { ca: tls.authorities }),
      ...(tls.certificate === undefined ? {} : { cert: tls.certificate }),
      ...(tls.key === undefined ? {} : { key: tls.key }),
    },
  });
}

async function grpcExporter(settings: TraceExportSettings, tls: TlsFiles): Promise<SdkSpanExporter> {
  const [{ OTLPTraceExporter }, { CompressionAlgorithm }, grpcBase] = await Promise.all([
    import('@opentelemetry/exporter-trace-otlp-grpc'),
    import('@opentelemetry/otlp-exporter-base'),
    import('@opentelemetry/otlp-grpc-exporter-base'),
  ]);
  const metadata = grpcBase.createEmptyMetadata();
  for (const [name, value] of Object.entries(settings.headers)) metadata.set(name, value);
  return new OTLPTraceExporter({
    url: settings.url,
    metadata,
    timeoutMillis: settings.timeoutMs,
    compression: settings.compression === 'gzip' ? CompressionAlgorithm.GZIP : CompressionAlgorithm.NONE,
    credentials: settings.url.startsWith('http://')
      ? grpcBase.createInsecureCredentials()
      : grpcBase.createSslCredentials(tls.authorities, tls.key, tls.certificate),
  });
}

async function readTlsFiles(settings: TraceExportSettings): Promise<TlsFiles> {
  const read = async (path: string | undefined, variable: string): Promise<Buffer | undefined> => {
    if (path === undefined) return undefined;
    try {
      return await readFile(path);
    } catch (error) {
      const message = `OTEL_EXPORTER_OTLP_${variable}: cannot read ${path}; name a readable PEM file: ${String(error)}`;
      throw new Error(message, { cause: error });
    }
  };
  const [authorities, certificate, key] = await Promise.all([
    read(settings.certificateFile, 'CERTIFICATE'),
    read(settings.clientCertificateFile, 'CLIENT_CERTIFICATE'),
    read(settings.clientKeyFile, 'CLIENT_KEY'),
  ]);
  return { authorities, certificate, key };
}
