import { promisify } from 'node:util';
import * as grpc from '@grpc/grpc-js';
import { type GrpcMethod, grpcService } from '../../src/resource/grpc-service.ts';

export type Json = Readonly<Record<string, unknown>>;

/** What a test lets a service do with a call: an answer, a gRPC status, or nothing at all. */
export type Conduct =
  | { readonly kind: 'answers'; readonly json: Json }
  | { readonly kind: 'answersBytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'fails'; readonly code: grpc.status }
  | { readonly kind: 'isSilent' };

/** A gRPC server by others' hands, with one unary method; what it was asked is kept. */
export class UnaryService {
  readonly requests: Json[] = [];
  readonly metadata: grpc.Metadata[] = [];
  cancelled = 0;
  conduct: Conduct = { kind: 'isSilent' };
  port = 0;
  readonly #server = new grpc.Server();

  static async listen(serviceName: string, methodName: string): Promise<UnaryService> {
    const service = new UnaryService();
    const method = grpcService(serviceName)[methodName];
    if (method === undefined) throw new Error(`${serviceName} has no ${methodName}`);
    service.#serve(method);
    const credentials = grpc.ServerCredentials.createInsecure();
    service.port = await promisify(service.#server.bindAsync.bind(service.#server))('127.0.0.1:0', credentials);
    return service;
  }

  close(): void {
    this.#server.forceShutdown();
  }

  #serve(method: GrpcMethod): void {
    this.#server.addService(
      { call: method },
      {
        call: (call: grpc.ServerUnaryCall<Json, Json | Uint8Array>, done: grpc.sendUnaryData<Json | Uint8Array>) => {
          this.requests.push(call.request);
          this.metadata.push(call.metadata);
          call.on('cancelled', () => {
            this.cancelled += 1;
          });
          this.#answer(done);
        },
      },
    );
  }

  #answer(done: grpc.sendUnaryData<Json | Uint8Array>): void {
    const { conduct } = this;
    switch (conduct.kind) {
      case 'answers':
        done(null, conduct.json);
        return;
      case 'answersBytes':
        done(null, conduct.bytes);
        return;
      case 'fails':
        done({ code: conduct.code, details: 'as told' });
        return;
      case 'isSilent':
    }
  }
}
