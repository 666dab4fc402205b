import { once } from 'node:events';
import http2 from 'node:http2';
import net, { type AddressInfo } from 'node:net';
import { type Clock, systemClock } from '../../../src/base/clock.ts';
import { CLIENT_HELLO } from '../../../src/http/http2/frame-script.ts';
import type { HttpConnectionManager } from '../../../src/resource/http-connection-manager.ts';
import { UNSAID_HTTP2_OPTIONS } from '../../../src/resource/http2-options.ts';
import { DataPath } from '../../../src/sidecar/listener/data-path-fixture.ts';
import { route, routeAction, routeConfiguration, routeMatch, virtualHost } from '../../support/resources.ts';
import { AttackedApp } from './attacked-app.ts';
import { liveBytes } from './live-memory.ts';

const HTTP2 = { kind: 'explicitHttp2', http2: UNSAID_HTTP2_OPTIONS } as const;
const MAX_CONNECTIONS = 500;

const STANDING_STILL: Clock = { ...systemClock, nowMs: () => 0 };

/** A sidecar's listener with an app behind it, and a host under `/mute/` that never says a word. */
export class AttackedListener {
  readonly path = new DataPath({ maxConnections: MAX_CONNECTIONS, clock: STANDING_STILL });
  readonly app = new AttackedApp();
  port = 0;
  readonly #muted = new Set<net.Socket>();
  readonly #mute = net.createServer((socket) => {
    socket.on('error', () => undefined);
    this.#muted.add(socket.pause());
  });
  readonly #attackers = new Set<net.Socket>();

  async start(manager: Partial<HttpConnectionManager> = {}): Promise<void> {
    const appPort = await this.app.listen();
    await once(this.#mute.listen(0, '127.0.0.1'), 'listening');
    this.path.addCluster('web', [appPort]);
    this.path.addCluster('mute', [(this.#mute.address() as AddressInfo).port], { upstreamProtocol: HTTP2 });
    const routes = [
      route({
        match: routeMatch({ path: { kind: 'prefix', prefix: '/mute/' } }),
        action: routeAction({ cluster: { kind: 'cluster', name: 'mute' } }),
      }),
      route(),
    ];
    const routeTable = routeConfiguration({ virtualHosts: [virtualHost({ routes })] });
    this.port = await this.path.serve({ routes: { kind: 'inline', routeConfiguration: routeTable }, ...manager });
  }

  /** From here on another app serves. */
  useApp(port: number): void {
    this.path.assign('web', [port]);
  }

  /** Answers of that class, of 1 to 5. */
  answered(statusClass: number): number {
    return this.path.counter('http', 'ingress', `downstream_rq_${statusClass}xx`);
  }

  stop(): void {
    for (const socket of this.#attackers) socket.destroy();
    for (const socket of this.#muted) socket.destroy();
    this.#mute.close();
    this.app.close();
    this.path.close();
  }

  /** How often a stream or connection of HTTP/2 ended for that reason. */
  count(reason: string): number {
    return this.path.counter('http', 'ingress', `downstream_http2_${reason.replaceAll('-', '_')}`);
  }

  openConnections(): number {
    return this.path.gauge('http', 'ingress', 'downstream_cx_active');
  }

  openRequests(): number {
    return this.path.gauge('http', 'ingress', 'downstream_rq_active');
  }

  /** A client that has said hello and from then on reads nothing. */
  async attacker(hello: Buffer = CLIENT_HELLO): Promise<net.Socket> {
    const socket = net.connect({ port: this.port, host: '127.0.0.1' });
    socket.on('error', () => undefined);
    socket.on('close', () => this.#attackers.delete(socket));
    this.#attackers.add(socket);
    socket.pause();
    await once(socket, 'connect');
    socket.write(hello);
    return socket;
  }

  async bystander(): Promise<Bystander> {
    const session = http2.connect(`http://127.0.0.1:${this.port}`);
    session.on('error', () => undefined);
    await once(session, 'connect');
    return new Bystander(session);
  }
}

/** Asks one thing after the other until told to stop. */
export class Bystander {
  answered = 0;
  failed = 0;
  readonly #session: http2.ClientHttp2Session;
  #isStopped = false;
  readonly #done: Promise<void>;

  constructor(session: http2.ClientHttp2Session) {
    this.#session = session;
    this.#done = this.#run();
  }

  /** Resolves when that many more have been answered, or one has failed. */
  async answers(count: number): Promise<void> {
    const wanted = this.answered + count;
    while (this.answered < wanted && this.failed === 0) await new Promise((resolve) => setImmediate(resolve));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#done;
    this.#session.destroy();
  }

  async #run(): Promise<void> {
    while (!this.#isStopped && this.failed === 0) {
      if (await this.#ask()) this.answered += 1;
      else this.failed += 1;
    }
  }

  #ask(): Promise<boolean> {
    return new Promise((resolve) => {
      const stream = this.#session.request({ ':path': '/' });
      let body = '';
      stream.setEncoding('latin1').on('data', (text: string) => {
        body += text;
      });
      stream.on('error', () => resolve(false));
      stream.on('close', () => resolve(body === 'ok'));
    });
  }
}

/** The most that is alive at any of the moments it is asked at, beyond what was alive at first. */
export class Growth {
  mostBytes = 0;
  readonly #listener: AttackedListener;
  readonly #beforeBytes: number;

  constructor(listener: AttackedListener) {
    this.#listener = listener;
    this.#beforeBytes = this.#liveBytes();
  }

  /** `ownBytes`: what the attacker itself has in this process and could not send yet. */
  look(ownBytes = 0): void {
    this.mostBytes = Math.max(this.mostBytes, this.#liveBytes() - this.#beforeBytes - ownBytes);
  }

  /** The fixture keeps a record of every stream, which no sidecar does. */
  #liveBytes(): number {
    this.#listener.path.records.length = 0;
    return liveBytes();
  }
}
