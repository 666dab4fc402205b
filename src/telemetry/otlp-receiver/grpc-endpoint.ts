import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js';
import { keepRequest } from './keep-request.ts';
import { type ExportRequest, traceService } from './otlp-messages.ts';
import type { TraceStore } from './trace-store.ts';

const MAX_MESSAGE_BYTES = 16 * 1_024 * 1_024;

/** OTLP/gRPC: `TraceService/Export` into the store. */
export async function startGrpc(
  store: TraceStore,
  host: string,
  port: number,
): Promise<{ readonly server: Server; readonly port: number }> {
  const server = new Server({ 'grpc.max_receive_message_length': MAX_MESSAGE_BYTES });
  server.addService(traceService(), {
    Export: (call: ServerUnaryCall<ExportRequest, object>, done: sendUnaryData<object>) => {
      keepRequest(store, call.request);
      done(null, {});
    },
  });
  const target = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(target, ServerCredentials.createInsecure(), (cause, boundPort) => {
      if (cause === null) resolve(boundPort);
      else
        reject(new Error(`OTLP receiver cannot listen on ${target}; give another port: ${cause.message}`, { cause }));
    });
  });
  return { server, port: bound };
}
