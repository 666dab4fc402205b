import { once } from 'node:events';
import { request } from 'node:http';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';

/** The body of one GET to an address, with its status. */
export function getAt(host: string, port: number, headers: Readonly<Record<string, string>> = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(10_000);
    const asked = request({ host, port, headers, agent: false, signal }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('error', reject);
      response.on('end', () => resolve(`${response.statusCode} ${text}`));
    });
    asked.on('error', reject);
    asked.end();
  });
}

/** What a server says by itself; '' where the connection ends without a word. */
export function heardFrom(host: string, port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, signal: AbortSignal.timeout(10_000) });
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    // A refused connection ends with an error, and is one that said nothing.
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(text));
  });
}

/** A server that speaks first: it says where it was reached and from which port, and hangs up. */
export async function startGreeter(host: string, port: number): Promise<AsyncDisposable & { readonly port: number }> {
  const server: Server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.end(`reached at ${socket.localAddress} ${socket.localPort}`);
  });
  server.listen(port, host);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.close();
    },
  };
}
