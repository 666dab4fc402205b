import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { pickFreePorts, retryOnPortClash } from './free-ports.ts';
import { requirePeer } from './peer.ts';
import { answersOk, PeerProcess } from './peer-process.ts';
import { makeTempDirectory } from './temp-directory.ts';

const LOOPBACK = '127.0.0.1';
const READY_WITHIN_MS = 60_000;

export interface Jaeger extends AsyncDisposable {
  /** URL for an OTLP gRPC exporter. */
  readonly otlpGrpcAddress: string;
  /** Base URL for an OTLP HTTP exporter, without `/v1/traces`. */
  readonly otlpHttpAddress: string;
  /** Base URL of the query API, without `/api/v3`. */
  readonly queryAddress: string;
  /** The newest output of the process. */
  readonly output: string;
  signal(signal: NodeJS.Signals): void;
  stop(): Promise<void>;
}

/** Jaeger with OTLP receivers and traces in memory. */
export function startJaeger(): Promise<Jaeger> {
  return retryOnPortClash(startOnFreePorts);
}

async function startOnFreePorts(): Promise<Jaeger> {
  const ports = await pickFreePorts('otlpGrpc', 'otlpHttp', 'queryHttp', 'queryGrpc', 'health');
  const directory = makeTempDirectory('jaeger');
  const configPath = join(directory.path, 'jaeger.yaml');
  writeFileSync(configPath, stringify(jaegerConfig(ports)));
  const queryAddress = `http://${LOOPBACK}:${ports.queryHttp}`;
  try {
    const peer = await PeerProcess.start({
      name: 'jaeger',
      command: requirePeer('jaeger'),
      args: ['--config', configPath],
      // Spans about itself would go to the default port, and it would wait seconds for them when it stops.
      env: { OTEL_TRACES_SAMPLER: 'always_off' },
      isReady: async () =>
        (await answersOk(`http://${LOOPBACK}:${ports.health}/status`)) &&
        (await answersOk(`${queryAddress}/api/services`)),
      readyWithinMs: READY_WITHIN_MS,
    });
    const stop = async (): Promise<void> => {
      await peer.stop();
      directory.remove();
    };
    return {
      otlpGrpcAddress: `http://${LOOPBACK}:${ports.otlpGrpc}`,
      otlpHttpAddress: `http://${LOOPBACK}:${ports.otlpHttp}`,
      queryAddress,
      get output() {
        return peer.output;
      },
      signal: (signal) => peer.signal(signal),
      stop,
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    directory.remove();
    throw error;
  }
}

interface JaegerPorts {
  readonly otlpGrpc: number;
  readonly otlpHttp: number;
  readonly queryHttp: number;
  readonly queryGrpc: number;
  readonly health: number;
}

function jaegerConfig(ports: JaegerPorts): object {
  const at = (port: number): { endpoint: string } => ({ endpoint: `${LOOPBACK}:${port}` });
  return {
    service: {
      extensions: ['jaeger_storage', 'jaeger_query', 'healthcheckv2'],
      pipelines: { traces: { receivers: ['otlp'], exporters: ['jaeger_storage_exporter'] } },
      // Its own metrics would be served on a fixed port.
      telemetry: { metrics: { level: 'none' }, logs: { level: 'info' } },
    },
    extensions: {
      healthcheckv2: { use_v2: true, http: at(ports.health) },
      jaeger_storage: { backends: { memory: { memory: { max_traces: 10_000 } } } },
      jaeger_query: { storage: { traces: 'memory' }, http: at(ports.queryHttp), grpc: at(ports.queryGrpc) },
    },
    receivers: { otlp: { protocols: { grpc: at(ports.otlpGrpc), http: at(ports.otlpHttp) } } },
    exporters: { jaeger_storage_exporter: { trace_storage: 'memory' } },
  };
}
