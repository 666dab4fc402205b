import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CLIENT_PREFACE } from '../../http/http2/frame.ts';
import {
  CLIENT_HELLO,
  data,
  headers,
  OK,
  type Pairs,
  POST,
  reset,
  SERVER_HELLO,
} from '../../http/http2/frame-script.ts';
import { FrameTranscript } from '../../http/http2/frame-transcript.ts';
import { UNSAID_HTTP2_OPTIONS } from '../../resource/http2-options.ts';
import { DataPath, RawPeer, RawUpstream } from './data-path-fixture.ts';

/**
 * Bytes declared and bytes delivered agree at every boundary, both ways (hostile input §0.2): a message that keeps its word
 * arrives with the same word; one that does not never arrives as a whole one, in whatever protocol either side speaks.
 */

type Protocol = 'HTTP/1.1' | 'HTTP/2';
type Role = 'client' | 'host';

/** A message by its sender. */
interface Message {
  /** undefined: chunks, or frames without a word about them. */
  readonly declared: number | undefined;
  readonly body: string;
  readonly trailers?: boolean;
  /** The sender stops before the end: FIN or RST_STREAM. */
  readonly isCut?: boolean;
}

/** What has come of a message. */
interface Seen {
  readonly declared: number | undefined;
  readonly bytes: number;
  readonly end: 'open' | 'whole' | 'aborted';
  readonly hasTrailers: boolean;
}

const NOTHING: Seen = { declared: undefined, bytes: 0, end: 'open', hasTrailers: false };
const TRAILER = 'x-sum: 7\r\n';

/** One end of a connection to the sidecar. */
class End {
  readonly peer: RawPeer;
  readonly #protocol: Protocol;
  readonly #role: Role;

  constructor(peer: RawPeer, protocol: Protocol, role: Role) {
    this.peer = peer;
    this.#protocol = protocol;
    this.#role = role;
    if (protocol === 'HTTP/2') peer.socket.write(role === 'client' ? CLIENT_HELLO : SERVER_HELLO);
  }

  send(message: Message): void {
    if (this.#protocol === 'HTTP/2') this.peer.socket.write(this.#frames(message));
    else this.#sendText(message);
  }

  get seen(): Seen {
    const seen = this.#protocol === 'HTTP/2' ? this.#framesSeen() : this.#textSeen();
    const isGone = this.peer.isEnded || this.peer.isClosed;
    return seen.end === 'open' && isGone ? { ...seen, end: 'aborted' } : seen;
  }

  #frames({ declared, body, trailers = false, isCut = false }: Message): Buffer {
    const length: Pairs = declared === undefined ? [] : [['content-length', String(declared)]];
    const head = headers(1, [...(this.#role === 'client' ? POST : OK), ...length]);
    const content = data(1, body, !trailers && !isCut);
    const last = isCut ? [reset(1)] : trailers ? [headers(1, [['x-sum', '7']], true)] : [];
    return Buffer.concat([head, content, ...last]);
  }

  #sendText({ declared, body, trailers = false, isCut = false }: Message): void {
    const line = this.#role === 'client' ? 'POST / HTTP/1.1\r\nhost: a.test\r\n' : 'HTTP/1.1 200 OK\r\n';
    const chunk = `${body.length.toString(16)}\r\n${body}\r\n`;
    const lastChunk = isCut ? '' : `0\r\n${trailers ? TRAILER : ''}\r\n`;
    if (declared === undefined) this.peer.send(`${line}transfer-encoding: chunked\r\n\r\n${chunk}${lastChunk}`);
    else this.peer.send(`${line}content-length: ${declared}\r\n\r\n${body}`);
    if (isCut || (declared ?? 0) > body.length) this.peer.socket.end();
  }

  #framesSeen(): Seen {
    let bytes = Buffer.from(this.peer.received, 'latin1');
    if (this.#role === 'host') bytes = bytes.subarray(CLIENT_PREFACE.length);
    let seen = NOTHING;
    for (const frame of new FrameTranscript().describe(wholeFrames(bytes))) {
      const [type = '', stream = '', third = ''] = frame.split(' ');
      if (type === 'GOAWAY' || (type === 'RST_STREAM' && seen.end === 'open')) seen = { ...seen, end: 'aborted' };
      if (stream !== '1' || (type !== 'HEADERS' && type !== 'DATA')) continue;
      const length = /content-length=(\d+)/.exec(frame)?.[1];
      if (length !== undefined) seen = { ...seen, declared: Number(length) };
      if (type === 'DATA') seen = { ...seen, bytes: seen.bytes + Number(third) };
      if (frame.includes(' x-sum=7')) seen = { ...seen, hasTrailers: true };
      if (frame.endsWith(' end')) seen = { ...seen, end: 'whole' };
    }
    return seen;
  }

  #textSeen(): Seen {
    const { received } = this.peer;
    const at = received.indexOf('\r\n\r\n') + 4;
    if (at < 4) return NOTHING;
    const length = /\r\ncontent-length: (\d+)\r\n/.exec(received.slice(0, at))?.[1];
    const body = received.slice(at);
    if (length === undefined) {
      const content = [...body.matchAll(/(?:^|\r\n)([0-9a-f]+)\r\n/g)].reduce(
        (sum, [, size]) => sum + parseInt(size ?? '', 16),
        0,
      );
      const isWhole = /(?:^|\r\n)0\r\n(?:x-sum: 7\r\n)?\r\n$/.test(body);
      return {
        declared: undefined,
        bytes: content,
        end: isWhole ? 'whole' : 'open',
        hasTrailers: body.includes(TRAILER),
      };
    }
    const isWhole = body.length >= Number(length);
    return { declared: Number(length), bytes: body.length, end: isWhole ? 'whole' : 'open', hasTrailers: false };
  }
}

function wholeFrames(bytes: Buffer): Buffer {
  let end = 0;
  while (end + 9 <= bytes.length && end + 9 + bytes.readUIntBE(end, 3) <= bytes.length)
    end += 9 + bytes.readUIntBE(end, 3);
  return bytes.subarray(0, end);
}

let path: DataPath;
let upstream: RawUpstream;
const clients: RawPeer[] = [];

beforeEach(async () => {
  path = new DataPath();
  upstream = await RawUpstream.listen();
});

afterEach(() => {
  for (const client of clients.splice(0)) client.destroy();
  upstream.close();
  path.close();
});

async function connect(from: Protocol, to: Protocol): Promise<End> {
  const overrides =
    to === 'HTTP/2' ? { upstreamProtocol: { kind: 'explicitHttp2', http2: UNSAID_HTTP2_OPTIONS } as const } : {};
  path.addCluster('web', [upstream.port], overrides);
  const client = await RawPeer.connect(await path.serve({ enableTrailers: true }));
  clients.push(client);
  return new End(client, from, 'client');
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** What reaches the host of a request, once the sidecar has nothing more to say about it. */
async function delivered(from: Protocol, to: Protocol, message: Message): Promise<Seen> {
  const client = await connect(from, to);
  client.send(message);
  let host: End | undefined;
  while (host?.seen.end !== 'whole' && path.records.length === 0) {
    const [peer] = upstream.connections;
    if (peer !== undefined) host ??= new End(peer, to, 'host');
    await turn();
  }
  if (host?.seen.end === 'whole') {
    host.send({ declared: 0, body: '' });
    await path.recordsReach(1);
  }
  // It was given up: whatever of it has left ends, too.
  while (host?.peer.received.includes('POST') && host.seen.end === 'open') await turn();
  return host?.seen ?? NOTHING;
}

/** What reaches the client of a response. */
async function answered(from: Protocol, to: Protocol, message: Message): Promise<Seen> {
  const client = await connect(to, from);
  client.send({ declared: 0, body: '' });
  const host = new End(await upstream.connection(0), from, 'host');
  while (host.seen.end !== 'whole') await turn();
  host.send(message);
  while (client.seen.end === 'open') await turn();
  return client.seen;
}

const PROTOCOLS: readonly Protocol[] = ['HTTP/1.1', 'HTTP/2'];
const BRIDGES = PROTOCOLS.flatMap((from) => PROTOCOLS.map((to) => [from, to] as const));
const BODY = '0123456789';

describe.each([
  ['a request', delivered],
  ['a response', answered],
] as const)('%s', (_, carry) => {
  describe.each(BRIDGES)('from %s to %s', (from, to) => {
    it('that keeps its word arrives with it', async () => {
      expect(await carry(from, to, { declared: 10, body: BODY })).toMatchObject({
        declared: 10,
        bytes: 10,
        end: 'whole',
      });
    });

    it('that declares nothing arrives whole', async () => {
      const seen = await carry(from, to, { declared: undefined, body: BODY });
      expect(seen).toEqual({ declared: undefined, bytes: 10, end: 'whole', hasTrailers: false });
    });

    it('with trailers arrives whole, and so do they', async () => {
      const seen = await carry(from, to, { declared: undefined, body: BODY, trailers: true });
      expect(seen).toEqual({ declared: undefined, bytes: 10, end: 'whole', hasTrailers: true });
    });

    it('that ends too early does not end', async () => {
      const seen = await carry(from, to, { declared: 10, body: '0123' });
      expect(seen.end).not.toBe('whole');
      expect(seen.bytes).toBeLessThanOrEqual(4);
    });

    it('that declares nothing and is cut does not end', async () => {
      const seen = await carry(from, to, { declared: undefined, body: '0123', isCut: true });
      expect(seen.end).not.toBe('whole');
      expect(seen.bytes).toBeLessThanOrEqual(4);
    });

    it('that goes on beyond its word goes no further', async () => {
      const seen = await carry(from, to, { declared: 4, body: BODY });
      expect(seen.bytes).toBeLessThanOrEqual(4);
      // HTTP/1 says where a message ends; what follows is another. In HTTP/2 it is malformed (RFC 9113 §8.1.1).
      expect(seen.end === 'whole').toBe(from === 'HTTP/1.1');
    });

    if (from === 'HTTP/2') {
      it('with trailers behind what it declared arrives with the same length', async () => {
        const seen = await carry(from, to, { declared: 10, body: BODY, trailers: true });
        expect(seen).toMatchObject({ bytes: 10, end: 'whole' });
        expect(seen.declared ?? 10).toBe(10);
      });

      it('with trailers behind less than it declared does not end', async () => {
        const seen = await carry(from, to, { declared: 10, body: '0123', trailers: true });
        expect(seen.end).not.toBe('whole');
      });
    }
  });
});
