import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { goDurationMs } from '../../../base/go-duration.ts';

/** What the fake does with every question instead of answering it. */
export type FakeFault =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly body: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  | { readonly kind: 'garbage' }
  | { readonly kind: 'truncated' }
  | { readonly kind: 'noLeader' }
  /** Takes the question and never answers. */
  | { readonly kind: 'hang' };

interface Document {
  body: unknown;
  index: number;
}

interface Waiting {
  readonly path: string;
  readonly index: number;
  readonly answer: () => void;
}

/** A scripted Consul: documents by path, real blocking, and every fault a test wants. Not a registry: it keeps no rules. */
export class FakeConsul {
  readonly questions: string[] = [];
  readonly #documents = new Map<string, Document>();
  readonly #waiting = new Set<Waiting>();
  readonly #server: Server;
  readonly #scheme: 'http' | 'https';
  /** Put on every answer, over our own. */
  headers: Readonly<Record<string, string>> = {};
  /** The same, by whether the question blocks. */
  headersOf: (isBlocking: boolean) => Readonly<Record<string, string>> = () => ({});
  /** 403 for questions that do not block, as where the stream of events goes on for a token that lost its rights. */
  refuseUnblocked = false;
  /** What the last question carried. */
  lastHeaders: IncomingHttpHeaders = {};
  #fault: FakeFault = { kind: 'none' };
  #index = 10;
  #port = 0;

  private constructor(tls: ServerOptions | undefined) {
    // Where nobody wrote a mesh entry, the list of them is empty.
    this.#documents.set('/v1/config/mesh', { body: [], index: this.#index });
    const answer = (request: IncomingMessage, response: ServerResponse): void => this.#answer(request, response);
    this.#server = tls === undefined ? createServer(answer) : createTlsServer(tls, answer);
    this.#scheme = tls === undefined ? 'http' : 'https';
  }

  static async start(port = 0, tls?: ServerOptions): Promise<FakeConsul> {
    const fake = new FakeConsul(tls);
    await new Promise<void>((resolve) => fake.#server.listen(port, '127.0.0.1', resolve));
    fake.#port = (fake.#server.address() as AddressInfo).port;
    return fake;
  }

  get port(): number {
    return this.#port;
  }

  get address(): string {
    return `${this.#scheme}://127.0.0.1:${this.port}`;
  }

  /** How many questions are being held at present. */
  get held(): number {
    return this.#waiting.size;
  }

  /** Puts a document and wakes whoever waits for it. */
  set(path: string, body: unknown): void {
    this.#index += 1;
    this.#documents.set(path, { body, index: this.#index });
    this.#wake(path);
  }

  /** Takes a document away: 404 from now on, also to whoever waits for it. */
  delete(path: string): void {
    this.#documents.delete(path);
    this.#wake(path);
  }

  /** The index moves and the content does not. */
  touch(path: string): void {
    const document = this.#documents.get(path);
    if (document !== undefined) this.set(path, document.body);
  }

  /** As after a restored snapshot: everything is numbered anew from 1. */
  resetIndexes(): void {
    this.#index = 1;
    for (const [path, document] of this.#documents) {
      document.index = this.#index;
      this.#wake(path);
    }
  }

  /** An older snapshot, as a real Consul restores it: whoever waits is told what was known before, and then it is another thing. */
  restore(documents: Readonly<Record<string, unknown>>, ...heardAt: readonly string[]): void {
    for (const path of heardAt.length === 0 ? this.#documents.keys() : heardAt) this.#wake(path);
    this.#index = 5;
    for (const [path, body] of Object.entries(documents)) this.#documents.set(path, { body, index: this.#index });
  }

  /** From now on; questions already held are ended by it, except by a hang. */
  fail(fault: FakeFault): void {
    this.#fault = fault;
    if (fault.kind === 'none' || fault.kind === 'hang') return;
    for (const path of this.#documents.keys()) this.#wake(path);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #wake(path: string): void {
    for (const waiting of [...this.#waiting]) if (waiting.path === path) waiting.answer();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '/', 'http://fake');
    this.lastHeaders = request.headers;
    this.questions.push(`${url.pathname}${url.search}`);
    const document = this.#documents.get(url.pathname);
    const index = Number(url.searchParams.get('index') ?? 0);
    if (this.#fault.kind === 'hang') return;
    if (this.#fault.kind === 'none' && document !== undefined && index > 0 && document.index <= index) {
      this.#hold(url.pathname, index, goDurationMs(url.searchParams.get('wait') ?? '5m') ?? 0, response);
      return;
    }
    if (index === 0 && this.refuseUnblocked) response.writeHead(403).end('Permission denied');
    else this.#send(url.pathname, response, index > 0);
  }

  #hold(path: string, index: number, waitMs: number, response: ServerResponse): void {
    const waiting: Waiting = {
      path,
      index,
      answer: () => {
        clearTimeout(timer);
        this.#waiting.delete(waiting);
        this.#send(path, response, true);
      },
    };
    const timer = setTimeout(waiting.answer, waitMs);
    this.#waiting.add(waiting);
    response.on('close', () => {
      clearTimeout(timer);
      this.#waiting.delete(waiting);
    });
  }

  #send(path: string, response: ServerResponse, isBlocking: boolean): void {
    const fault = this.#fault;
    const document = this.#documents.get(path);
    if (fault.kind === 'hang') return;
    if (fault.kind === 'status') {
      response.writeHead(fault.status, fault.headers).end(fault.body);
      return;
    }
    if (document === undefined) {
      response.writeHead(404).end(`no document at ${path}`);
      return;
    }
    const text = fault.kind === 'garbage' ? '<html>' : JSON.stringify(document.body);
    response.setHeader('content-type', 'application/json');
    response.setHeader('x-consul-index', String(document.index));
    response.setHeader('x-consul-knownleader', fault.kind === 'noLeader' ? 'false' : 'true');
    for (const [name, value] of Object.entries({ ...this.headers, ...this.headersOf(isBlocking) }))
      response.setHeader(name, value);
    if (fault.kind !== 'truncated') {
      response.end(text);
      return;
    }
    response.setHeader('content-length', text.length);
    response.write(text.slice(0, text.length - 1), () => response.destroy());
  }
}
