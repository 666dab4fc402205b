import { once } from 'node:events';
import http from 'node:http';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  CLIENT_HELLO,
  data,
  GET,
  goAway,
  headers,
  OK,
  ping,
  reset,
  settings,
  settingsAck,
} from '../../http/http2/frame-script.ts';
import { FrameTranscript } from '../../http/http2/frame-transcript.ts';
import { CLIENT_PREFACE } from '../../http/http2/http2.ts';
import type { Cluster } from '../../resource/cluster.ts';
import { type Http2Options, UNSAID_HTTP2_OPTIONS } from '../../resource/http2-options.ts';
import { ByteStream } from '../../transport-socket/transport-socket.ts';
import { DataPath, RawPeer, RawUpstream } from './data-path-fixture.ts';

/** How connections to an HTTP/2 host are lent, kept and left. The host writes its frames by hand, and reads every one. */

const FRAME_HEADER_BYTES = 9;
const REFUSED_STREAM = 7;
const CANCEL = 8;
const INTERNAL_ERROR = 2;
const ENHANCE_YOUR_CALM = 11;
const MAX_CONCURRENT_STREAMS = 3;
const PING_ACK = 1;

let path: DataPath;
let host: RawUpstream;
const peers: RawPeer[] = [];

beforeEach(async () => {
  path = new DataPath();
  host = await RawUpstream.listen();
});

afterEach(() => {
  vi.restoreAllMocks();
  for (const peer of peers.splice(0)) peer.destroy();
  path.close();
  host.close();
});

function use(overrides: Partial<Cluster> = {}, options: Partial<Http2Options> = {}): void {
  const upstreamProtocol = { kind: 'explicitHttp2', http2: { ...UNSAID_HTTP2_OPTIONS, ...options } } as const;
  path.addCluster('web', [host.port], { upstreamProtocol, ...overrides });
}

async function ask(port: number, method = 'GET'): Promise<number | undefined> {
  const request = http.request({ port, agent: false, method });
  request.end(method === 'POST' ? 'body' : '');
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  response.resume();
  await once(response, 'end');
  return response.statusCode;
}

/** The frames that the sidecar has sent whole on a connection. */
function framesOf(peer: RawPeer): string[] {
  const bytes = Buffer.from(peer.received, 'latin1').subarray(CLIENT_PREFACE.length);
  let end = 0;
  while (end + FRAME_HEADER_BYTES <= bytes.length) {
    const next = end + FRAME_HEADER_BYTES + bytes.readUIntBE(end, 3);
    if (next > bytes.length) break;
    end = next;
  }
  return new FrameTranscript().describe(bytes.subarray(0, end));
}

/** The streams whose requests have come whole. */
function requestsOf(peer: RawPeer): number[] {
  return framesOf(peer)
    .filter((frame) => /^(HEADERS|DATA) .* end$/.test(frame))
    .map((frame) => Number(frame.split(' ')[1]));
}

/** The host takes a connection and says how many streams it may carry. */
async function greeted(index: number, maxStreams = 100): Promise<RawPeer> {
  const peer = await host.connection(index);
  peer.socket.write(Buffer.concat([settings([MAX_CONCURRENT_STREAMS, maxStreams]), settingsAck()]));
  return peer;
}

async function asked(peer: RawPeer, streams: readonly number[]): Promise<void> {
  await peer.until(() => requestsOf(peer).length >= streams.length, `requests on ${streams.join(', ')}`);
  expect(requestsOf(peer)).toEqual(streams);
}

describe('as many streams as the host takes (RFC 9113 §5.1.2)', () => {
  it('go to one connection, and the next one opens another', async () => {
    use();
    const port = await path.serve();
    const answers = [ask(port), ask(port)];
    const first = await greeted(0, 2);
    await asked(first, [1, 3]);
    answers.push(ask(port));
    const second = await greeted(1, 2);
    await asked(second, [1]);
    expect(requestsOf(first)).toEqual([1, 3]);
    first.socket.write(Buffer.concat([headers(1, OK, true), headers(3, OK, true)]));
    second.socket.write(headers(1, OK, true));
    expect(await Promise.all(answers)).toEqual([200, 200, 200]);
    expect(host.connections).toHaveLength(2);
  });

  it('may become fewer: nothing new is sent until enough have ended', async () => {
    use({ circuitBreakers: onlyOneConnection() });
    const port = await path.serve();
    const answers = [ask(port), ask(port)];
    const peer = await greeted(0, 2);
    await asked(peer, [1, 3]);
    peer.socket.write(Buffer.concat([settings([MAX_CONCURRENT_STREAMS, 1]), ping()]));
    await peer.until(() => framesOf(peer).includes('PING ack'), 'the answer to PING');
    answers.push(ask(port));
    while (path.gauge('cluster', 'web', 'upstream_rq_pending_active') === 0) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    peer.socket.write(Buffer.concat([headers(1, OK, true), ping()]));
    await peer.until(() => framesOf(peer).filter((frame) => frame === 'PING ack').length === 2, 'the second PING');
    expect(requestsOf(peer)).toEqual([1, 3]);
    peer.socket.write(headers(3, OK, true));
    await asked(peer, [1, 3, 5]);
    peer.socket.write(headers(5, OK, true));
    expect(await Promise.all(answers)).toEqual([200, 200, 200]);
    expect(host.connections).toHaveLength(1);
  });
});

function onlyOneConnection(): Cluster['circuitBreakers'] {
  return {
    maxConnections: 1,
    maxPendingRequests: 100,
    maxRequests: 100,
    maxRetries: 3,
    retryBudget: undefined,
    maxConnectionsPerHost: undefined,
  };
}

describe('what the host has not looked at goes to another connection (RFC 9113 §8.7)', () => {
  it.each(['GET', 'POST'])(
    'attack 23: GOAWAY: %s above the last stream; those up to it end where they are',
    async (method) => {
      use();
      const port = await path.serve();
      const kept = ask(port, method);
      const first = await greeted(0);
      await asked(first, [1]);
      const moved = ask(port, method);
      await asked(first, [1, 3]);
      first.socket.write(goAway(1));
      const second = await greeted(1);
      await asked(second, [1]);
      second.socket.write(headers(1, [[':status', '202']], true));
      expect(await moved).toBe(202);
      first.socket.write(headers(1, OK, true));
      expect(await kept).toBe(200);
      await first.ends();
      expect(path.counter('cluster', 'web', 'upstream_cx_close_notify')).toBe(1);
      expect(requestsOf(second)).toEqual([1]);
    },
  );

  it.each(['GET', 'POST'])('attack 23: REFUSED_STREAM: %s, and the connection serves on', async (method) => {
    use();
    const port = await path.serve();
    const answer = ask(port, method);
    const first = await greeted(0);
    await asked(first, [1]);
    first.socket.write(reset(1, REFUSED_STREAM));
    const second = await greeted(1);
    await asked(second, [1]);
    expect(requestsOf(first)).toEqual([1]);
    second.socket.write(headers(1, OK, true));
    expect(await answer).toBe(200);
    expect(first.isEnded).toBe(false);
  });

  it('attack 23: REFUSED_STREAM where no other may be opened: the same connection is asked after a rest', async () => {
    use({ circuitBreakers: onlyOneConnection() });
    const answer = ask(await path.serve(), 'POST');
    const peer = await greeted(0);
    await asked(peer, [1]);
    peer.socket.write(reset(1, REFUSED_STREAM));
    await asked(peer, [1, 3]);
    peer.socket.write(headers(3, OK, true));
    expect(await answer).toBe(200);
    expect(host.connections).toHaveLength(1);
    expect(path.counter('cluster', 'web', 'http2.refusal_rests')).toBe(1);
  });

  it('attack 23: refused over and over is told the client', async () => {
    use({ circuitBreakers: onlyOneConnection() });
    const answer = ask(await path.serve(), 'POST');
    const peer = await greeted(0);
    for (const streams of [[1], [1, 3], [1, 3, 5], [1, 3, 5, 7]]) {
      await asked(peer, streams);
      peer.socket.write(reset(streams.at(-1) ?? 0, REFUSED_STREAM));
    }
    expect(await answer).toBe(503);
    expect(requestsOf(peer)).toEqual([1, 3, 5, 7]);
  });
});

describe('what the host may have looked at is never sent again', () => {
  it.each([
    ['CANCEL', CANCEL],
    ['INTERNAL_ERROR', INTERNAL_ERROR],
    ['ENHANCE_YOUR_CALM', ENHANCE_YOUR_CALM],
  ])('attack 23: a POST reset with %s', async (_name, code) => {
    use();
    const answer = ask(await path.serve(), 'POST');
    const peer = await greeted(0);
    await asked(peer, [1]);
    peer.socket.write(reset(1, code));
    expect(await answer).toBe(503);
    expect(requestsOf(peer)).toEqual([1]);
    expect(host.connections).toHaveLength(1);
  });

  it.each(['GET', 'POST'])(
    'attack 23: a %s up to the last stream of a GOAWAY, when the connection goes',
    async (method) => {
      use();
      const answer = ask(await path.serve(), method);
      const peer = await greeted(0);
      await asked(peer, [1]);
      peer.socket.end(goAway(1));
      expect(await answer).toBe(503);
      expect(host.connections).toHaveLength(1);
    },
  );

  it('attack 23: a POST refused after its answer has begun', async () => {
    use();
    const port = await path.serve();
    const request = http.request({ port, agent: false, method: 'POST' });
    request.end('body');
    const peer = await greeted(0);
    await asked(peer, [1]);
    peer.socket.write(headers(1, [...OK, ['content-length', '9']]));
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    const failed = once(response, 'error');
    response.resume();
    peer.socket.write(Buffer.concat([data(1, 'part'), reset(1, REFUSED_STREAM)]));
    await failed;
    expect(requestsOf(peer)).toEqual([1]);
    expect(host.connections).toHaveLength(1);
  });
});

describe('PING keeps a connection', () => {
  it('for as long as the host answers: asked in intervals, and lent again', async () => {
    use({}, { connectionKeepaliveIntervalMs: 5, connectionKeepaliveTimeoutMs: 10_000 });
    const port = await path.serve();
    const first = ask(port);
    const peer = await greeted(0);
    await asked(peer, [1]);
    peer.socket.write(headers(1, OK, true));
    expect(await first).toBe(200);
    const pings = (): string[] => framesOf(peer).filter((frame) => frame === 'PING');
    for (let count = 1; count <= 3; count += 1) {
      await peer.until(() => pings().length === count, `PING ${count}`);
      peer.socket.write(ping('weft ask', PING_ACK));
    }
    const second = ask(port);
    await asked(peer, [1, 3]);
    peer.socket.write(headers(3, OK, true));
    expect(await second).toBe(200);
    expect(path.counter('cluster', 'web', 'http2.keepalive_timeout')).toBe(0);
    expect(host.connections).toHaveLength(1);
  });
});

describe('the end of a connection to a host', () => {
  it('comes when it has carried max_requests_per_connection: the next request opens another', async () => {
    use({ maxRequestsPerConnection: 2 });
    const port = await path.serve();
    const answers = [ask(port), ask(port)];
    const first = await greeted(0);
    await asked(first, [1, 3]);
    answers.push(ask(port));
    const second = await greeted(1);
    await asked(second, [1]);
    first.socket.write(Buffer.concat([headers(3, OK, true), headers(1, OK, true)]));
    second.socket.write(headers(1, OK, true));
    expect(await Promise.all(answers)).toEqual([200, 200, 200]);
    await first.ends();
    expect(second.isEnded).toBe(false);
    expect(path.counter('cluster', 'web', 'upstream_cx_max_requests')).toBe(1);
  });

  it('comes at max_connection_duration: streams under way end on it, the next request opens another', async () => {
    const maxConnectionDurationMs = 20;
    use({ maxConnectionDurationMs });
    const port = await path.serve();
    const openedAtMs = path.turn.clock.nowMs();
    const slow = ask(port);
    const first = await greeted(0);
    await first.until(() => requestsOf(first).length === 1, 'the first request');
    while (path.turn.clock.nowMs() < openedAtMs + 10 * maxConnectionDurationMs) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    const next = ask(port);
    const second = await greeted(1);
    await asked(second, [1]);
    second.socket.write(headers(1, OK, true));
    expect(await next).toBe(200);
    first.socket.write(headers(1, OK, true));
    expect(await slow).toBe(200);
    await first.ends();
    expect(requestsOf(first)).toEqual([1]);
    expect(path.counter('cluster', 'web', 'upstream_cx_max_duration_reached')).toBeGreaterThan(0);
  });
});

/** A client has the head of what answers its first stream, whether that is all of the answer or not. */
function isAnswered({ received }: RawPeer): boolean {
  return received.includes('\x01\x05\0\0\0\x01') || received.includes('\x01\x04\0\0\0\x01');
}

describe('one turn of the event loop', () => {
  it('sends all its requests in one write', async () => {
    use();
    const port = await path.serve();
    const client = await RawPeer.connect(port);
    peers.push(client);
    client.socket.write(Buffer.concat([CLIENT_HELLO, headers(1, GET, true)]));
    const peer = await greeted(0);
    await asked(peer, [1]);
    peer.socket.write(headers(1, OK, true));
    await client.until(() => isAnswered(client), 'the answer');
    const writes = vi.spyOn(ByteStream.prototype, 'writeOwned');
    const streams = Array.from({ length: 20 }, (_, index) => 2 * index + 3);
    client.socket.write(Buffer.concat(streams.map((id) => headers(id, GET, true))));
    await asked(peer, [1, ...streams]);
    expect(writes).toHaveBeenCalledTimes(1);
  });

  it('sends those of several clients in one write, too', async () => {
    use();
    const port = await path.serve();
    const clients = await Promise.all([0, 1, 2].map(() => RawPeer.connect(port)));
    peers.push(...clients);
    for (const client of clients) client.socket.write(Buffer.concat([CLIENT_HELLO, headers(1, GET, true)]));
    const peer = await greeted(0);
    await asked(peer, [1, 3, 5]);
    for (const id of [1, 3, 5]) peer.socket.write(headers(id, [[':status', '202']], true));
    await Promise.all(clients.map((client) => client.until(() => isAnswered(client), 'the answer')));
    const writes = vi.spyOn(ByteStream.prototype, 'writeOwned');
    for (const client of clients) client.socket.write(headers(3, GET, true));
    await asked(peer, [1, 3, 5, 7, 9, 11]);
    expect(writes).toHaveBeenCalledTimes(1);
  });
});
