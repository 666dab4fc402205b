import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { HeaderFields, RequestHead } from '../../../src/http/http.ts';
import {
  DEFAULT_HTTP2_LIMITS,
  type Http2Fault,
  type Http2Limits,
  Http2ServerConnection,
  type Http2ServerSink,
  type Http2ServerStream,
  type Http2StreamSink,
} from '../../../src/http/http2/http2.ts';
import { SocketDriver } from './socket-driver.ts';

export interface EchoServer {
  readonly port: number;
  readonly faults: readonly Http2Fault[];
  /** Streams of all connections whose work has not ended. */
  activeStreams(): number;
  close(): Promise<void>;
}

const EMPTY_BODY_ANSWER = 'hello';

/** A server on a real socket that answers with what it was sent: body, `x-echo-*` fields and trailers. */
export async function startEchoServer(limits: Http2Limits = DEFAULT_HTTP2_LIMITS): Promise<EchoServer> {
  const faults: Http2Fault[] = [];
  const sockets = new Set<Socket>();
  const connections: Http2ServerConnection[] = [];
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    connections.push(serve(socket, limits, faults));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    faults,
    activeStreams: () => connections.reduce((sum, connection) => sum + connection.activeStreams, 0),
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

function serve(socket: Socket, limits: Http2Limits, faults: Http2Fault[]): Http2ServerConnection {
  const driver = new SocketDriver(socket);
  const sink: Http2ServerSink = {
    onRequestHead: (stream, head) => new Echo(stream, head),
    onConnectionFault: (fault) => {
      faults.push(fault);
      driver.finish();
    },
    onDrained: () => driver.finish(),
    onStreamRefused: () => {},
    onPingAcknowledged: () => {},
  };
  const connection = new Http2ServerConnection(sink, driver.output, limits, performance.now());
  driver.drive(connection);
  return connection;
}

class Echo implements Http2StreamSink {
  readonly #stream: Http2ServerStream;
  #trailers: string[] = [];
  #hasBody = false;
  #owedBytes = 0;

  constructor(stream: Http2ServerStream, head: RequestHead) {
    this.#stream = stream;
    const pairs = ['x-method', head.method, 'x-path', head.path, 'x-authority', head.authority];
    for (let index = 0; index < head.fields.count; index += 1) {
      const name = head.fields.nameAt(index);
      if (name.startsWith('x-echo-') || name === 'cookie') pairs.push(name, head.fields.valueAt(index));
    }
    stream.sendLocalHead(200, pairs, -1);
  }

  onBody(buffer: Buffer, start: number, end: number): void {
    this.#hasBody = true;
    this.#stream.sendBody(buffer, start, end);
    if (this.#stream.isBackedUp) this.#owedBytes += end - start;
    else this.#stream.credit(end - start);
  }

  onTrailers(fields: HeaderFields): void {
    for (let index = 0; index < fields.count; index += 1) {
      this.#trailers.push(fields.nameAt(index), fields.valueAt(index));
    }
  }

  onEnd(): void {
    if (!this.#hasBody) this.#stream.sendBodyText(EMPTY_BODY_ANSWER);
    if (this.#trailers.length > 0) this.#stream.sendTrailers(this.#trailers);
    else this.#stream.end();
    this.#stream.release();
  }

  onReset(): void {
    this.#stream.release();
  }

  onWritable(): void {
    const owed = this.#owedBytes;
    this.#owedBytes = 0;
    this.#stream.credit(owed);
  }
}
