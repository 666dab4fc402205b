import { once } from 'node:events';
import net from 'node:net';
import { systemClock } from '../../base/clock.ts';
import {
  type CertificateValidation,
  type CommonTlsContext,
  EMPTY_TLS_CONTEXT,
  type SubjectAltNameMatcher,
} from '../../resource/transport-socket.ts';
import { MetricsRegistry } from '../../telemetry/metrics/metrics.ts';
import { ByteStream } from '../byte-stream.ts';
import type { ByteStreamUser } from '../byte-stream-user.ts';
import { EventTurn } from '../event-turn.ts';
import { alpnBytes, TlsContext } from './tls-context.ts';
import { TlsCounters } from './tls-counters.ts';
import { TlsMaterials } from './tls-materials.ts';

/** Tests of TLS: both ends of a connection as byte streams of one turn. */

interface Pem {
  readonly certificatePem: string;
  readonly keyPem: string;
}

export function inlineText(text: string): { readonly kind: 'inline'; readonly text: string } {
  return { kind: 'inline', text };
}

/** Names that must be had, spoken as SAN type and exact value. */
export function wanted(sanType: SubjectAltNameMatcher['sanType'], value: string): SubjectAltNameMatcher {
  return { sanType, matcher: { kind: 'exact', value, ignoreCase: false } };
}

export function trusting(caPem: string, ...matchSubjectAltNames: SubjectAltNameMatcher[]): CertificateValidation {
  return { trustedCa: inlineText(caPem), matchSubjectAltNames };
}

export function commonTls(pair: Pem | undefined, overrides: Partial<CommonTlsContext> = {}): CommonTlsContext {
  const certificates =
    pair === undefined
      ? []
      : [{ certificateChain: inlineText(pair.certificatePem), privateKey: inlineText(pair.keyPem) }];
  return { ...EMPTY_TLS_CONTEXT, certificates, ...overrides };
}

/** Whoever holds one end: what it heard, in order, and promises about it. */
export class EndOfStream implements ByteStreamUser {
  received = '';
  readonly events: string[] = [];
  stream: ByteStream | undefined = undefined;
  onSecured: () => void = () => undefined;
  #waiters: (() => void)[] = [];

  onConnected(): void {
    this.#note('connected');
    this.onSecured();
  }

  onBytes(buffer: Buffer, start: number, end: number): void {
    this.received += buffer.toString('latin1', start, end);
    this.#wake();
  }

  onPeerFinished(): void {
    this.#note('finished');
  }

  onWritable(): void {
    this.#note('writable');
  }

  onClosed(errorCode: string): void {
    this.#note(`closed ${errorCode}`);
  }

  get isOver(): boolean {
    return this.events.some((event) => event.startsWith('closed'));
  }

  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }

  #note(event: string): void {
    this.events.push(event);
    this.#wake();
  }

  #wake(): void {
    for (const resolve of this.#waiters.splice(0)) resolve();
  }
}

export class TlsFixture {
  readonly unexpected: unknown[] = [];
  readonly materials = new TlsMaterials();
  readonly turn = new EventTurn(systemClock, (error) => this.unexpected.push(error));
  readonly metrics = new MetricsRegistry({ announce: () => undefined });
  readonly serverCounters = new TlsCounters(this.metrics, { kind: 'listener', name: 'l' });
  readonly clientCounters = new TlsCounters(this.metrics, { kind: 'cluster', name: 'c' });
  readonly #server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true });
  readonly #streams: ByteStream[] = [];

  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  downstream(common: CommonTlsContext, requireClientCertificate = false): TlsContext {
    return new TlsContext({ kind: 'downstreamTls', common, requireClientCertificate }, this.materials);
  }

  upstream(common: CommonTlsContext): TlsContext {
    return new TlsContext({ kind: 'upstreamTls', common, sni: '' }, this.materials);
  }

  /** The next accepted connection speaks TLS as the server; `firstBytes` were read of it before. */
  async accept(context: TlsContext, readFirst = false): Promise<EndOfStream> {
    const [socket] = (await once(this.#server, 'connection')) as [net.Socket];
    const user = new EndOfStream();
    this.turn.enter();
    const stream = ByteStream.accept(this.turn, socket, user, 65_536);
    user.stream = stream;
    this.#streams.push(stream);
    if (readFirst) await this.#readHello(stream, user);
    const alpn = alpnBytes(context.common.alpnProtocols);
    stream.secure({ compiled: context.current(), alpn, counters: this.serverCounters });
    this.turn.leave();
    return user;
  }

  dial(port: number, context: TlsContext, sni = ''): EndOfStream {
    const user = new EndOfStream();
    const { turn, clientCounters: counters } = this;
    const tls = { compiled: context.current(), alpn: alpnBytes(context.common.alpnProtocols), counters, sni };
    turn.enter();
    const address = { kind: 'ip', host: '127.0.0.1', port } as const;
    user.stream = ByteStream.connect(turn, { target: { address }, highWaterMarkBytes: 65_536, tls }, user);
    this.#streams.push(user.stream);
    turn.leave();
    return user;
  }

  /** Both ends of one connection, once each knows how its handshake ended. */
  async meet(server: TlsContext, client: TlsContext, sni = ''): Promise<{ server: EndOfStream; client: EndOfStream }> {
    const port = this.#server.listening ? this.#port() : await this.listen();
    const accepted = this.accept(server);
    const clientEnd = this.dial(port, client, sni);
    const serverEnd = await accepted;
    await serverEnd.until(() => serverEnd.events.length > 0);
    await clientEnd.until(() => clientEnd.events.length > 0);
    return { server: serverEnd, client: clientEnd };
  }

  close(): void {
    for (const stream of this.#streams) stream.destroy();
    this.#server.close();
    this.turn.stop();
    if (this.unexpected.length > 0) throw new Error('unexpected exceptions', { cause: this.unexpected });
  }

  #port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** As a listener filter does: reads, looks, and puts back. */
  async #readHello(stream: ByteStream, user: EndOfStream): Promise<void> {
    stream.resume();
    this.turn.leave();
    await user.until(() => user.received !== '');
    this.turn.enter();
    stream.pause();
    stream.unread(Buffer.from(user.received, 'latin1'));
    user.received = '';
  }
}
