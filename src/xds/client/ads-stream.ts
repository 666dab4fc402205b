import { Client, type ClientDuplexStream, Metadata, status } from '@grpc/grpc-js';
import type { ControlServer } from '../../resource/bootstrap.ts';
import { aggregatedMethod } from '../discovery-services.ts';
import { channelSecurity } from './channel-security.ts';

/** What happens on one stream. `onEnd` is called once, after which nothing else is, and not at all after `close`. */
export interface AdsStreamEvents {
  onResponse(bytes: Buffer): void;
  onEnd(reason: string): void;
}

/** How a stream is opened. */
export interface AdsStreamOptions {
  readonly server: ControlServer;
  readonly variant: 'sotw' | 'delta';
  /** Sent as gRPC metadata, for example a control plane's token. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** SotW cannot be sent in parts: this is a mesh of some 50 000 clusters. */
const MAX_RESPONSE_BYTES = 64 * 1024 * 1024;
const KEEPALIVE_TIME_MS = 30_000;
const KEEPALIVE_TIMEOUT_MS = 10_000;

/** One ADS stream on a connection of its own, so that each attempt begins with a fresh dial and no backoff but ours. */
export class AdsStream {
  readonly #connection: { readonly client: Client; readonly stream: BytesStream } | undefined;
  #isClosed = false;

  constructor(options: AdsStreamOptions, events: AdsStreamEvents) {
    const where = `${options.server.host}:${options.server.port}`;
    const end = (reason: string): void => {
      if (this.#isClosed) return;
      this.close();
      events.onEnd(`${where}: ${reason}`);
    };
    try {
      this.#connection = dial(options);
    } catch (error) {
      // A file that is missing now may be there at the next attempt.
      setImmediate(end, error instanceof Error ? error.message : String(error));
      return;
    }
    const { stream } = this.#connection;
    stream.on('data', (bytes: Buffer) => {
      if (!this.#isClosed) events.onResponse(bytes);
    });
    // Every error is followed by a status, which says more.
    stream.on('error', () => {});
    stream.on('status', ({ code, details }) => {
      // gRPC says so even where resolution has nothing to note.
      const detail = details.replace(/\. Resolution note: $/, '');
      end(`${status[code] ?? code}${detail === '' ? '' : `: ${detail}`}`);
    });
  }

  send(bytes: Buffer): void {
    if (!this.#isClosed) this.#connection?.stream.write(bytes);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#connection?.stream.cancel();
    this.#connection?.client.close();
  }
}

type BytesStream = ClientDuplexStream<Buffer, Buffer>;

/** Throws where the certificates that secure the connection cannot be used. */
function dial({ server, variant, metadata }: AdsStreamOptions): {
  readonly client: Client;
  readonly stream: BytesStream;
} {
  const { host, port, initialMetadata = [] } = server;
  const target = host.includes(':') ? `ipv6:[${host}]:${port}` : `dns:${host}:${port}`;
  const security = channelSecurity(server);
  const client = new Client(target, security.credentials, {
    ...security.options,
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_http_proxy': 0,
    'grpc.enable_channelz': 0,
    'grpc.keepalive_time_ms': KEEPALIVE_TIME_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
    'grpc.max_receive_message_length': MAX_RESPONSE_BYTES,
    'grpc.service_config_disable_resolution': 1,
    'grpc.enable_retries': 0,
  });
  const headers = new Metadata();
  for (const [name, value] of Object.entries(metadata)) headers.set(name, value);
  for (const [name, value] of initialMetadata) headers.add(name, value);
  const { path, requestSerialize, responseDeserialize } = aggregatedMethod(variant);
  return { client, stream: client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, headers) };
}
