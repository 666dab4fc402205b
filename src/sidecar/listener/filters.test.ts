import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { httpConnectionManager } from '../../../test/support/resources.ts';
import type { HttpConnectionManager } from '../../resource/http-connection-manager.ts';
import {
  type CompiledFilter,
  type FilterFactory,
  type FilterStream,
  plainReply,
  ROUTER_FILTER_TYPE,
} from '../filter/filter.ts';
import { DataPath, RawPeer, RawUpstream } from './data-path-fixture.ts';

let path: DataPath;
let upstream: RawUpstream;
const peers: RawPeer[] = [];
const filters = new Map<string, CompiledFilter>();
const factory: FilterFactory = (name) => filters.get(name) ?? { name };
const GET = 'GET / HTTP/1.1\r\nhost: web\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

function chainOf(...list: CompiledFilter[]): Partial<HttpConnectionManager> {
  filters.clear();
  for (const filter of list) filters.set(filter.name, filter);
  const config = { typeUrl: 'type.googleapis.com/test', value: new Uint8Array() };
  const described = list.map(({ name }) => ({ name, isOptional: false, disabled: false, config }));
  return { httpFilters: [...described, ...httpConnectionManager().httpFilters] };
}

async function connect(port: number): Promise<RawPeer> {
  const peer = await RawPeer.connect(port);
  peers.push(peer);
  return peer;
}

beforeEach(async () => {
  path = new DataPath({ filterFactories: new Map([['type.googleapis.com/test', factory]]) });
  upstream = await RawUpstream.listen();
  path.addCluster('web', [upstream.port]);
});

afterEach(() => {
  for (const peer of peers.splice(0)) peer.destroy();
  upstream.close();
  path.close();
});

describe('filters', () => {
  it('see requests in order and responses in reverse, and may edit both', async () => {
    const seen: string[] = [];
    const named = (name: string): CompiledFilter => ({
      name,
      onRequestHead(stream) {
        seen.push(`request ${name}`);
        stream.requestEdits.add(`x-${name}`, 'in');
        return 'continue';
      },
      onResponseHead(stream) {
        seen.push(`response ${name}`);
        stream.responseEdits.add(`x-${name}`, 'out');
      },
      onStreamEnd() {
        seen.push(`end ${name}`);
      },
    });
    const client = await connect(await path.serve(chainOf(named('a'), named('b'))));
    client.send(GET);
    const host = await upstream.connection(0);
    expect(await host.receives('\r\n\r\n')).toContain('x-a: in\r\nx-b: in\r\n');
    host.send(OK);
    expect(await client.receives('ok')).toContain('x-b: out\r\nx-a: out\r\n');
    expect(seen).toEqual(['request a', 'request b', 'response b', 'response a', 'end a', 'end b']);
  });

  it('one may answer in the upstream`s stead; those behind it never see the request', async () => {
    const refusing: CompiledFilter = {
      name: 'refuse',
      onRequestHead(stream) {
        stream.sendLocalReply(plainReply(403, 'rbac_access_denied', 'no', 'UAEX'), 'rule-1');
        return 'stop';
      },
    };
    const unreachable: CompiledFilter = {
      name: 'behind',
      onRequestHead: () => {
        throw new Error('must not run');
      },
    };
    const client = await connect(await path.serve(chainOf(refusing, unreachable)));
    client.send(GET + GET);
    await client.until(() => client.received.split('HTTP/1.1 403').length === 3, 'both answers');
    expect(await path.recordsReach(2)).toMatchObject({
      responseFlags: 'UAEX',
      responseCodeDetails: 'rbac_access_denied{rule-1}',
    });
    expect(upstream.connections).toHaveLength(0);
  });

  it('one may stop a request and let it go on later: the body waits, whole and in order', async () => {
    let held: FilterStream | undefined;
    const holding: CompiledFilter = {
      name: 'hold',
      onRequestHead(stream) {
        held = stream;
        return 'stop';
      },
    };
    const client = await connect(await path.serve(chainOf(holding)));
    client.send('POST / HTTP/1.1\r\nhost: web\r\ncontent-length: 6\r\n\r\nabc');
    await expect.poll(() => held !== undefined).toBe(true);
    client.send('def');
    path.turn.enter();
    held?.continueRequest();
    path.turn.leave();
    const host = await upstream.connection(0);
    await host.receives('\r\n\r\nabcdef');
    host.send(OK);
    await client.receives('ok');
  });

  it('a client that leaves while a filter holds its request ends the stream, and going on is harmless', async () => {
    let held: FilterStream | undefined;
    const ends: string[] = [];
    const holding: CompiledFilter = {
      name: 'hold',
      onRequestHead(stream) {
        held = stream;
        return 'stop';
      },
      onStreamEnd: () => void ends.push('end'),
    };
    const client = await connect(await path.serve(chainOf(holding)));
    client.send(GET);
    await expect.poll(() => held !== undefined).toBe(true);
    client.destroy();
    expect((await path.recordsReach(1)).responseFlags).toBe('DC');
    held?.continueRequest();
    expect(ends).toEqual(['end']);
    expect(upstream.connections).toHaveLength(0);
  });

  it('a chain must end with the router', async () => {
    const { httpFilters } = httpConnectionManager();
    const [router] = httpFilters;
    expect(router?.config.typeUrl).toBe(ROUTER_FILTER_TYPE);
    await path.serve({ httpFilters: [] });
    expect(path.listeners.views()).toEqual([]);
  });
});
