import { Client, type ClientOptions, credentials, Metadata, Server, ServerCredentials } from '@grpc/grpc-js';
import type { Mesh } from '../../../mesh/support/mesh.ts';

/** Answers with the name of the instance; the second path is for routes by path. */
export const SAY = '/test.Echo/Say';
export const SHOUT = '/test.Echo/Shout';

const CALL_WITHIN_MS = 10_000;

const asIs = (bytes: Buffer): Buffer => bytes;

export interface GrpcBackend extends AsyncDisposable {
  readonly instance: string;
  register(): Promise<void>;
  deregister(): Promise<void>;
}

export interface GrpcEcho extends AsyncDisposable {
  readonly port: number;
}

/** A gRPC server that answers each call with the name it is given, and is registered nowhere. */
export async function startGrpcEcho(instance: string): Promise<GrpcEcho> {
  const server = new Server();
  const answer = (_call: unknown, done: (error: null, answer: Buffer) => void): void =>
    done(null, Buffer.from(instance));
  for (const path of [SAY, SHOUT]) server.register(path, answer, asIs, asIs, 'unary');
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      server.forceShutdown();
    },
  };
}

/** A gRPC server that takes calls itself, without a sidecar: in Consul's words, connect-native. */
export async function addGrpcBackend(mesh: Mesh, service: string, instance: string): Promise<GrpcBackend> {
  const server = await startGrpcEcho(instance);
  const { port } = server;
  const registration = { Name: service, ID: instance, Address: '127.0.0.1', Port: port, Connect: { Native: true } };
  const backend: GrpcBackend = {
    instance,
    register: () => mesh.registryPut('/v1/agent/service/register', registration),
    deregister: () => mesh.registryPut(`/v1/agent/service/deregister/${instance}`, ''),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
  await backend.register();
  return backend;
}

export interface CallOptions {
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A client of gRPC for Node; `xds:///…` where its xDS half is registered. */
export class EchoClient implements Disposable {
  readonly #client: Client;

  constructor(target: string, options: ClientOptions = {}) {
    this.#client = new Client(target, credentials.createInsecure(), options);
  }

  /** The instance that answers; rejects with the call's status. */
  call({ path = SAY, headers = {} }: CallOptions = {}): Promise<string> {
    const metadata = new Metadata();
    for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
    const options = { deadline: Date.now() + CALL_WITHIN_MS };
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(path, asIs, asIs, Buffer.from('x'), metadata, options, (error, answer) => {
        if (error === null) resolve(String(answer));
        else reject(error);
      });
    });
  }

  /** How often each instance answered. */
  async calls(count: number, options: CallOptions = {}): Promise<ReadonlyMap<string, number>> {
    const heard = new Map<string, number>();
    for (let call = 0; call < count; call++) {
      const instance = await this.call(options);
      heard.set(instance, (heard.get(instance) ?? 0) + 1);
    }
    return heard;
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}
