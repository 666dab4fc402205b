import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';

const LARGE_BODY = Buffer.alloc(300_000, 'l');
const ETAG = 'e'.repeat(2_000);
/** Node's own bound on heads is below ours. */
const MAX_HEADER_BYTES = 128 * 1024;

/**
 * `/` is answered at once, `/never` not at all and nothing of it is read; `/large/` has a body that no window holds,
 * `/unchanged` a head and nothing else.
 */
export class AttackedApp {
  /** Requests seen to their end. */
  completed = 0;
  readonly #server = http.createServer({ maxHeaderSize: MAX_HEADER_BYTES }, (request, response) =>
    this.#answer(request, response),
  );

  async listen(): Promise<number> {
    await once(this.#server.listen(0, '127.0.0.1'), 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #answer(request: http.IncomingMessage, response: http.ServerResponse): void {
    const { url = '/' } = request;
    if (url === '/never') return;
    request.on('error', () => undefined);
    request.resume();
    request.on('end', () => {
      this.completed += 1;
      if (url.startsWith('/large/')) response.end(LARGE_BODY);
      else if (url === '/unchanged') response.writeHead(304, { etag: `${ETAG}${this.completed}` }).end();
      else response.end('ok');
    });
  }
}
