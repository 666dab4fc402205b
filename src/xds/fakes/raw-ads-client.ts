import { Client, type ClientDuplexStream, credentials, type StatusObject } from '@grpc/grpc-js';
import {
  type ClientIdentity,
  type DiscoveryResponse,
  decodeDeltaResponse,
  decodeSotwResponse,
  encodeDeltaRequest,
  encodeSotwRequest,
} from '../discovery-codec.ts';
import type { DeltaRequest, SotwRequest } from '../discovery-requests.ts';
import { aggregatedMethod, type BytesMethod } from '../discovery-services.ts';

/** A client for tests that sends exactly the requests it is told to, and keeps every response in order of arrival. */
export class RawAdsClient {
  readonly #client: Client;
  readonly #stream: ClientDuplexStream<Buffer, Buffer>;
  readonly #decode: (bytes: Buffer) => DiscoveryResponse;
  readonly #arrived: DiscoveryResponse[] = [];
  readonly #waiting: ((response: DiscoveryResponse) => void)[] = [];
  /** Settles when the server ends the stream. */
  readonly status: Promise<StatusObject>;
  #identity: ClientIdentity | undefined;

  constructor(
    port: number,
    variant: 'sotw' | 'delta',
    nodeId = 'node-1',
    method: BytesMethod = aggregatedMethod(variant),
  ) {
    this.#identity = nodeIdentity(nodeId);
    this.#decode = variant === 'delta' ? decodeDeltaResponse : decodeSotwResponse;
    this.#client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
      'grpc.use_local_subchannel_pool': 1,
      'grpc.max_receive_message_length': -1,
    });
    const { path, requestSerialize, responseDeserialize } = method;
    this.#stream = this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    this.status = new Promise((resolve) => this.#stream.on('status', resolve));
    this.#stream.on('error', () => {});
    this.#stream.on('data', (bytes: Buffer) => {
      const response = this.#decode(bytes);
      const waiter = this.#waiting.shift();
      if (waiter === undefined) this.#arrived.push(response);
      else waiter(response);
    });
  }

  /** Responses that arrived and were not taken by `next`. */
  get untaken(): number {
    return this.#arrived.length;
  }

  sotw(request: Partial<SotwRequest> & { typeUrl: string }): void {
    const { versionInfo = '', resourceNames = [], responseNonce = '', errorDetail } = request;
    const whole = { typeUrl: request.typeUrl, versionInfo, resourceNames, responseNonce, errorDetail };
    this.raw(encodeSotwRequest(whole, this.#takeIdentity()));
  }

  delta(request: Partial<DeltaRequest> & { typeUrl: string }): void {
    const { subscribe = [], unsubscribe = [], initialResourceVersions = new Map(), responseNonce = '' } = request;
    const { typeUrl, errorDetail } = request;
    const whole = { typeUrl, subscribe, unsubscribe, initialResourceVersions, responseNonce, errorDetail };
    this.raw(encodeDeltaRequest(whole, this.#takeIdentity()));
  }

  raw(bytes: Buffer): void {
    this.#stream.write(bytes);
  }

  next(): Promise<DiscoveryResponse> {
    const arrived = this.#arrived.shift();
    if (arrived !== undefined) return Promise.resolve(arrived);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  pauseReading(): void {
    this.#stream.pause();
  }

  resumeReading(): void {
    this.#stream.resume();
  }

  close(): void {
    this.#stream.cancel();
    this.#client.close();
  }

  /** The node goes into the first request only. */
  #takeIdentity(): ClientIdentity | undefined {
    const identity = this.#identity;
    this.#identity = undefined;
    return identity;
  }
}

export function nodeIdentity(id: string): ClientIdentity {
  const locality = { region: '', zone: '', subZone: '' };
  return {
    node: { id, cluster: 'test', locality, metadata: { tier: 'test' } },
    userAgentName: 'raw',
    userAgentVersion: '1',
  };
}
