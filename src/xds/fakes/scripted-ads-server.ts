import { Server, ServerCredentials, type ServerDuplexStream, status } from '@grpc/grpc-js';
import { decodeDeltaRequest, decodeSotwRequest } from '../discovery-codec.ts';
import type { DeltaRequest, SotwRequest } from '../discovery-requests.ts';
import {
  controlPlaneMessage,
  encodeDeltaResponse,
  encodeSotwResponse,
  type ResponseParts,
} from '../discovery-responses.ts';
import { aggregatedMethod } from '../discovery-services.ts';

/** A control server for tests that sends exactly what it is told to, and hands over each request in order of arrival. */
export class ScriptedAdsServer {
  readonly #server = new Server();
  readonly #streams: ServerDuplexStream<Buffer, Buffer>[] = [];
  readonly #arrived: (SotwRequest | DeltaRequest)[] = [];
  readonly #waiting: ((request: SotwRequest | DeltaRequest) => void)[] = [];
  streamsOpened = 0;
  /** What each stream showed as `x-consul-token`. */
  readonly tokens: string[] = [];
  port = 0;

  static async start(port = 0): Promise<ScriptedAdsServer> {
    const scripted = new ScriptedAdsServer();
    await scripted.#listen(port);
    return scripted;
  }

  /** Requests that arrived and were not taken. */
  get untaken(): number {
    return this.#arrived.length;
  }

  async nextSotw(): Promise<SotwRequest> {
    const request = await this.#next();
    if (!('resourceNames' in request)) throw new Error('a delta request came where a SotW one was expected');
    return request;
  }

  async nextDelta(): Promise<DeltaRequest> {
    const request = await this.#next();
    if (!('subscribe' in request)) throw new Error('a SotW request came where a delta one was expected');
    return request;
  }

  sendSotw(parts: Partial<ResponseParts> & { typeUrl: string }): void {
    this.sendRaw(encodeSotwResponse(whole(parts)));
  }

  sendDelta(parts: Partial<ResponseParts> & { typeUrl: string }): void {
    this.sendRaw(encodeDeltaResponse(whole(parts)));
  }

  /** To the youngest stream. */
  sendRaw(bytes: Buffer): void {
    this.#streams.at(-1)?.write(bytes);
  }

  /** Ends every stream; new ones are taken. */
  endStreams(code = status.UNAVAILABLE, details = 'scripted end'): void {
    for (const stream of this.#streams.splice(0)) stream.emit('error', { code, details });
  }

  stop(): void {
    this.#server.forceShutdown();
  }

  #next(): Promise<SotwRequest | DeltaRequest> {
    const arrived = this.#arrived.shift();
    if (arrived !== undefined) return Promise.resolve(arrived);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #listen(port: number): Promise<void> {
    for (const variant of ['sotw', 'delta'] as const) {
      const { path, responseSerialize, requestDeserialize } = aggregatedMethod(variant);
      const decode = variant === 'delta' ? decodeDeltaRequest : decodeSotwRequest;
      const handler = (stream: ServerDuplexStream<Buffer, Buffer>): void => this.#accept(stream, decode);
      this.#server.register(path, handler, responseSerialize, requestDeserialize, 'bidi');
    }
    return new Promise((resolve, reject) => {
      this.#server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, bound) => {
        this.port = bound;
        if (error === null) resolve();
        else reject(error);
      });
    });
  }

  #accept(stream: ServerDuplexStream<Buffer, Buffer>, decode: (bytes: Buffer) => SotwRequest | DeltaRequest): void {
    this.streamsOpened += 1;
    this.tokens.push(stream.metadata.get('x-consul-token').join());
    this.#streams.push(stream);
    stream.on('error', () => {});
    stream.on('data', (bytes: Buffer) => {
      const request = decode(bytes);
      const waiter = this.#waiting.shift();
      if (waiter === undefined) this.#arrived.push(request);
      else waiter(request);
    });
  }
}

function whole(parts: Partial<ResponseParts> & { typeUrl: string }): ResponseParts {
  return {
    version: '1',
    nonce: '1',
    resources: [],
    removedNames: [],
    controlPlane: controlPlaneMessage('scripted'),
    ...parts,
  };
}
