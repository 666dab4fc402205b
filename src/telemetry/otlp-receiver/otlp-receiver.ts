/**
 * An OTLP receiver that keeps the last traces in memory: what the demo shows and tests ask, so that neither needs a
 * Jaeger. Takes OTLP/HTTP in protobuf and OTLP/gRPC, answers questions in JSON. It knows spans; it does not know Weft's
 * attributes, and it is not for production.
 */

import type { Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Server as GrpcServer } from '@grpc/grpc-js';
import { createHttpEndpoint } from './http-endpoint.ts';
import { TraceStore, type TraceStoreLimits } from './trace-store.ts';

export type { ReceivedSpan } from './received-span.ts';
export { type TraceStats, TraceStore, type TraceStoreLimits, type TraceSummary } from './trace-store.ts';

export interface OtlpReceiverOptions {
  /** 127.0.0.1 where absent. */
  readonly host?: string;
  /** OTLP/HTTP and the JSON API; 0 takes a free one. */
  readonly httpPort?: number;
  /** OTLP/gRPC; 0 takes a free one; absent: no gRPC. */
  readonly grpcPort?: number;
  readonly limits?: TraceStoreLimits;
}

export interface OtlpReceiver {
  readonly store: TraceStore;
  readonly httpPort: number;
  readonly grpcPort: number | undefined;
  stop(): Promise<void>;
}

/** Starts to listen; rejects with the address in the message where it is taken. */
export async function startOtlpReceiver(options: OtlpReceiverOptions = {}): Promise<OtlpReceiver> {
  const host = options.host ?? '127.0.0.1';
  const store = new TraceStore(options.limits);
  const http = createHttpEndpoint(store);
  const httpPort = await listen(http, host, options.httpPort ?? 0);
  let grpc: { readonly server: GrpcServer; readonly port: number } | undefined;
  try {
    if (options.grpcPort !== undefined) {
      const { startGrpc } = await import('./grpc-endpoint.ts');
      grpc = await startGrpc(store, host, options.grpcPort);
    }
  } catch (error) {
    await closeHttp(http);
    throw error;
  }
  return {
    store,
    httpPort,
    grpcPort: grpc?.port,
    stop: async () => {
      grpc?.server.forceShutdown();
      await closeHttp(http);
    },
  };
}

function listen(server: HttpServer, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      const message = `OTLP receiver cannot listen on ${host}:${port}; give another port: ${cause.message}`;
      reject(new Error(message, { cause }));
    });
    server.listen(port, host, () => {
      const address = server.address() as AddressInfo;
      resolve(address.port);
    });
  });
}

function closeHttp(server: HttpServer): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
