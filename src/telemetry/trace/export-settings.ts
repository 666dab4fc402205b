/** Where and how spans go, as the `OTEL_*` variables say. The variables are an argument: only `cli/` reads the process's. */
export interface TraceExportSettings {
  readonly protocol: 'grpc' | 'http/protobuf';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly compression: 'none' | 'gzip';
  readonly certificateFile: string | undefined;
  readonly clientCertificateFile: string | undefined;
  readonly clientKeyFile: string | undefined;
  readonly maxQueueSize: number;
  readonly maxExportBatchSize: number;
  readonly scheduleDelayMs: number;
  readonly exportTimeoutMs: number;
  /** OTEL_SERVICE_NAME or service.name of OTEL_RESOURCE_ATTRIBUTES; undefined leaves the choice to the program. */
  readonly serviceName: string | undefined;
  readonly resourceAttributes: Readonly<Record<string, string>>;
}

/** Names to values, `process.env` as the command line received it. */
export type Environment = Readonly<Record<string, string | undefined>>;

export interface TraceExportDecision {
  /** Undefined: no endpoint was given, or export was turned off. */
  readonly settings: TraceExportSettings | undefined;
  /** Variables that were ignored: which, why and what to write instead. */
  readonly faults: readonly string[];
}

const PREFIX = 'OTEL_EXPORTER_OTLP_';
const DEFAULT_TIMEOUT_MS = 10_000;
/** The specification's default is 5,000; a mesh's operator looks at a trace sooner than that. */
const DEFAULT_SCHEDULE_DELAY_MS = 1_000;
const DEFAULT_MAX_QUEUE_SIZE = 4_096;
const DEFAULT_MAX_EXPORT_BATCH_SIZE = 512;
const DEFAULT_EXPORT_TIMEOUT_MS = 30_000;
const MAX_QUEUE_SIZE = 65_536;

/**
 * Reads the variables of the OTLP exporter, the batch processor and the telemetry resource. Traces are exported where
 * an endpoint is given or OTEL_TRACES_EXPORTER asks for `otlp`. A variable that cannot be used is named and ignored.
 */
export function readTraceExportSettings(environment: Environment): TraceExportDecision {
  const faults: string[] = [];
  const reader = new VariableReader(environment, faults);
  if (isTurnedOff(reader, faults)) return { settings: undefined, faults };
  const protocol = readProtocol(reader, faults);
  const url = readUrl(reader, protocol, faults);
  if (url === undefined) return { settings: undefined, faults };
  const resourceAttributes = reader.pairs('OTEL_RESOURCE_ATTRIBUTES');
  const maxQueueSize = reader.positive('OTEL_BSP_MAX_QUEUE_SIZE', DEFAULT_MAX_QUEUE_SIZE, MAX_QUEUE_SIZE);
  return {
    faults,
    settings: {
      protocol,
      url,
      headers: { ...reader.pairs(`${PREFIX}HEADERS`), ...reader.pairs(`${PREFIX}TRACES_HEADERS`) },
      timeoutMs: reader.positive(reader.specific('TIMEOUT'), DEFAULT_TIMEOUT_MS),
      compression: readCompression(reader, faults),
      certificateFile: reader.text(reader.specific('CERTIFICATE')),
      clientCertificateFile: reader.text(reader.specific('CLIENT_CERTIFICATE')),
      clientKeyFile: reader.text(reader.specific('CLIENT_KEY')),
      maxQueueSize,
      maxExportBatchSize: Math.min(
        maxQueueSize,
        reader.positive('OTEL_BSP_MAX_EXPORT_BATCH_SIZE', DEFAULT_MAX_EXPORT_BATCH_SIZE),
      ),
      scheduleDelayMs: reader.positive('OTEL_BSP_SCHEDULE_DELAY', DEFAULT_SCHEDULE_DELAY_MS),
      exportTimeoutMs: reader.positive('OTEL_BSP_EXPORT_TIMEOUT', DEFAULT_EXPORT_TIMEOUT_MS),
      serviceName: reader.text('OTEL_SERVICE_NAME') ?? resourceAttributes['service.name'],
      resourceAttributes,
    },
  };
}

class VariableReader {
  readonly #environment: Environment;
  readonly #faults: string[];

  constructor(environment: Environment, faults: string[]) {
    this.#environment = environment;
    this.#faults = faults;
  }

  /** Undefined where unset or blank: the specification treats them alike. */
  text(name: string): string | undefined {
    const value = this.#environment[name]?.trim();
    return value === '' ? undefined : value;
  }

  /** The traces' own variable where it is set, else the general one. */
  specific(name: string): string {
    return this.text(`${PREFIX}TRACES_${name}`) === undefined ? PREFIX + name : `${PREFIX}TRACES_${name}`;
  }

  positive(name: string, fallback: number, most = 2 ** 31 - 1): number {
    const text = this.text(name);
    if (text === undefined) return fallback;
    const value = Number(text);
    if (Number.isInteger(value) && value > 0 && value <= most) return value;
    this.#faults.push(`${name}: ${text} is not a whole number from 1 to ${most}; using ${fallback}`);
    return fallback;
  }

  /** `key=value,key2=value2`, percent-encoded (W3C Baggage's form). Values are not repeated in faults: they may be secret. */
  pairs(name: string): Record<string, string> {
    const pairs: Record<string, string> = {};
    for (const part of (this.text(name) ?? '').split(',')) {
      if (part.trim() === '') continue;
      const equals = part.indexOf('=');
      const key = part.slice(0, Math.max(equals, 0)).trim();
      const value = percentDecoded(part.slice(equals + 1).trim());
      if (key === '' || value === undefined) this.#faults.push(`${name}: an entry is not key=value; it is ignored`);
      else pairs[key] = value;
    }
    return pairs;
  }
}

function percentDecoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function isTurnedOff(reader: VariableReader, faults: string[]): boolean {
  if (reader.text('OTEL_SDK_DISABLED')?.toLowerCase() === 'true') return true;
  const exporter = reader.text('OTEL_TRACES_EXPORTER');
  if (exporter === undefined) return !hasEndpoint(reader);
  const names = exporter.split(',').map((name) => name.trim());
  if (names.includes('otlp')) return false;
  if (!names.includes('none')) faults.push(`OTEL_TRACES_EXPORTER: ${exporter} is not supported; write otlp or none`);
  return true;
}

function hasEndpoint(reader: VariableReader): boolean {
  return reader.text(reader.specific('ENDPOINT')) !== undefined;
}

function readProtocol(reader: VariableReader, faults: string[]): TraceExportSettings['protocol'] {
  const name = reader.specific('PROTOCOL');
  const protocol = reader.text(name);
  if (protocol === 'grpc' || protocol === 'http/protobuf') return protocol;
  if (protocol !== undefined) {
    faults.push(`${name}: ${protocol} is not supported; write grpc or http/protobuf; using http/protobuf`);
  }
  return 'http/protobuf';
}

function readCompression(reader: VariableReader, faults: string[]): TraceExportSettings['compression'] {
  const name = reader.specific('COMPRESSION');
  const compression = reader.text(name) ?? 'none';
  if (compression === 'gzip' || compression === 'none') return compression;
  faults.push(`${name}: ${compression} is not supported; write gzip or none; using none`);
  return 'none';
}

/** The traces' endpoint is used as it is; the general one gets `/v1/traces` over HTTP. */
function readUrl(
  reader: VariableReader,
  protocol: TraceExportSettings['protocol'],
  faults: string[],
): string | undefined {
  const name = reader.specific('ENDPOINT');
  const fallback = protocol === 'grpc' ? 'http://localhost:4317' : 'http://localhost:4318';
  const given = reader.text(name) ?? fallback;
  const insecure = reader.text(reader.specific('INSECURE'))?.toLowerCase() === 'true';
  // gRPC endpoints may come without a scheme; INSECURE then says which.
  const withScheme = /^[a-z]+:\/\//i.test(given) ? given : `${insecure ? 'http' : 'https'}://${given}`;
  const text = protocol === 'grpc' ? withScheme : given;
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    faults.push(`${name}: ${given} is not an http:// or https:// URL; traces are not exported`);
    return undefined;
  }
  if (protocol === 'grpc' || name.includes('TRACES_')) return url.href;
  return `${url.href.replace(/\/+$/, '')}/v1/traces`;
}
