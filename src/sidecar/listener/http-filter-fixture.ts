import { buildExtension, httpFilter } from '../../../test/support/extensions.ts';
import { httpConnectionManager, route, routeConfiguration, virtualHost } from '../../../test/support/resources.ts';
import type { HttpConnectionManager } from '../../resource/http-connection-manager.ts';
import { DataPath, RawPeer, RawUpstream } from './data-path-fixture.ts';

const HTTP = 'envoy.extensions.filters.http';

export type Json = Readonly<Record<string, unknown>>;

/** HTTP filters before the router, by type below envoy.extensions.filters.http and config; the first is named `f`. */
export function managerOf(
  filters: readonly (readonly [string, Json])[],
  onRoute?: readonly [string, Json],
): Partial<HttpConnectionManager> {
  const configs = onRoute === undefined ? [] : [['f', buildExtension(`${HTTP}.${onRoute[0]}`, onRoute[1])] as const];
  const host = virtualHost({ routes: [route({ typedPerFilterConfig: new Map(configs) })] });
  const before = filters.map(([type, json], index) =>
    httpFilter(index === 0 ? 'f' : `f${index}`, `${HTTP}.${type}`, json),
  );
  return {
    httpFilters: [...before, ...httpConnectionManager().httpFilters],
    routes: { kind: 'inline', routeConfiguration: routeConfiguration({ virtualHosts: [host] }) },
  };
}

/** One listener with filters, and one upstream whose answers the test writes. */
export class FilteredPath {
  readonly path = new DataPath();
  readonly #upstream: RawUpstream;
  readonly #clients: RawPeer[] = [];
  #port = 0;

  private constructor(upstream: RawUpstream) {
    this.#upstream = upstream;
    this.path.addCluster('web', [upstream.port]);
  }

  static async open(): Promise<FilteredPath> {
    return new FilteredPath(await RawUpstream.listen());
  }

  async serve(manager: Partial<HttpConnectionManager>): Promise<void> {
    this.#port = await this.path.serve(manager);
  }

  async client(): Promise<RawPeer> {
    const client = await RawPeer.connect(this.#port);
    this.#clients.push(client);
    return client;
  }

  /** The upstream's connection that comes next. */
  nextConnection(): Promise<RawPeer> {
    return this.#upstream.connection(this.#upstream.connections.length);
  }

  /** The request as the upstream saw it ('' where it came not so far), and the answer. */
  async exchange(
    request: string,
    answer = 'HTTP/1.1 200 OK',
  ): Promise<{ readonly seen: string; readonly got: string }> {
    const client = await this.client();
    const served = this.nextConnection();
    let seen = '';
    const serving = served.then(async (connection) => {
      seen = await connection.receives('\r\n\r\n');
      connection.send(`${answer}\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok`);
    });
    client.send(`${request}\r\n\r\n`);
    await Promise.race([serving, client.receives('\r\n\r\n')]);
    const got = await client.receives('\r\n\r\n');
    client.destroy();
    return { seen, got };
  }

  close(): void {
    for (const client of this.#clients.splice(0)) client.destroy();
    this.#upstream.close();
    this.path.close();
  }
}
