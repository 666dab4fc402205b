import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket, type Server as TlsServer } from 'node:tls';
import type { EventTurn } from '../../transport-socket/transport-socket.ts';
import { type AcceptedTransport, PlainTransport, TlsTransport } from './grpc/grpc-server.ts';

/** What a server shows and whom it trusts, in PEM. */
export interface TlsMaterial {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  /** Clients must show a certificate that one of these has signed; undefined asks for none. */
  readonly clientCaPem: string | undefined;
}

export interface AcceptorOptions {
  readonly maxConnections: number;
  /** Absent: plaintext. */
  readonly tls?: TlsMaterial | undefined;
  readonly counters: AcceptorCounters;
  readonly turn: EventTurn;
  /** Those that were handed over and have not closed. */
  readonly openConnections: () => number;
  /** A connection that may speak HTTP/2, its handshake done. */
  readonly onConnection: (transport: AcceptedTransport) => void;
}

export interface AcceptorCounters {
  connectionsAccepted: number;
  /** Beyond the bound on connections: closed unread. */
  connectionsDropped: number;
  handshakesFailed: number;
}

/** A thousand proxies that lose another server connect within one moment; the kernel cuts this to its own bound. */
const BACKLOG = 4_096;
const HANDSHAKE_TIMEOUT_MS = 5_000;
/** As a ByteStream wants its sockets. */
const PLAIN_OPTIONS = { noDelay: true, pauseOnConnect: true, allowHalfOpen: true } as const;

/** Takes connections, with a bound on how many and a queue that a herd fits into. Knows no HTTP/2. */
export class Acceptor {
  readonly #server: Server;
  readonly #tlsServer: TlsServer | undefined;
  /** Of every state, those in a handshake among them. */
  readonly #sockets = new Set<Socket>();
  #material: TlsMaterial | undefined;

  /** Throws where certificate and key are none, or do not belong together. */
  constructor(options: AcceptorOptions) {
    const { counters, tls, turn } = options;
    const take = (transport: AcceptedTransport): void => {
      counters.connectionsAccepted += 1;
      options.onConnection(transport);
    };
    const takePlain = (socket: Socket): void => {
      // Node's own count ends where the socket's handle is taken from it.
      if (options.openConnections() < options.maxConnections) take(new PlainTransport(turn, socket));
      else {
        counters.connectionsDropped += 1;
        socket.destroy();
      }
    };
    this.#material = tls;
    this.#tlsServer =
      tls === undefined ? undefined : tlsServer(tls, counters, (socket) => take(new TlsTransport(turn, socket)));
    this.#server = this.#tlsServer ?? createServer(PLAIN_OPTIONS, takePlain);
    this.#server.maxConnections = options.maxConnections;
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    this.#server.on('drop', () => {
      counters.connectionsDropped += 1;
    });
  }

  /** Gives the port. Rejects when the address cannot be bound, naming it and the fix. */
  listen({ host, port }: { readonly host: string; readonly port: number }): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', (error) => {
        const where = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
        reject(new Error(`xDS server: cannot listen on ${where}: ${error.message}; free the port or give another`));
      });
      this.#server.listen({ host, port, backlog: BACKLOG }, () => {
        const address = this.#server.address();
        resolve(typeof address === 'object' && address !== null ? address.port : port);
      });
    });
  }

  /** Other certificates from the next connection on. Throws, and keeps those of before, where they do not belong together. */
  renew(material: TlsMaterial): void {
    if (this.#tlsServer === undefined || isSame(material, this.#material)) return;
    this.#tlsServer.setSecureContext(contextOf(material));
    this.#material = material;
  }

  /** Takes no more connections; those there are stay. Settles when they are gone. */
  stop(): Promise<void> {
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  /** Ends what is left. */
  dropAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

function tlsServer(material: TlsMaterial, counters: AcceptorCounters, take: (socket: TLSSocket) => void): TlsServer {
  const server = createTlsServer(
    {
      ...contextOf(material),
      ALPNProtocols: ['h2'],
      minVersion: 'TLSv1.2',
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      requestCert: material.clientCaPem !== undefined,
      rejectUnauthorized: material.clientCaPem !== undefined,
    },
    (socket) => {
      // A client that broke off is told of by its session; without a listener the error would end the process.
      socket.on('error', () => {});
      socket.setNoDelay(true);
      take(socket);
    },
  );
  server.on('tlsClientError', () => {
    counters.handshakesFailed += 1;
  });
  return server;
}

function contextOf({ certificatePem, privateKeyPem, clientCaPem }: TlsMaterial): {
  readonly cert: string;
  readonly key: string;
  readonly ca?: string;
} {
  return {
    cert: certificatePem,
    key: privateKeyPem,
    ...(clientCaPem === undefined ? {} : { ca: clientCaPem }),
  };
}

function isSame(a: TlsMaterial, b: TlsMaterial | undefined): boolean {
  return (
    a.certificatePem === b?.certificatePem && a.privateKeyPem === b.privateKeyPem && a.clientCaPem === b.clientCaPem
  );
}
