import { Duplex } from 'node:stream';
import tls from 'node:tls';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ClientHelloInspection, inspectClientHello, MAX_CLIENT_HELLO_BYTES } from './client-hello.ts';
import { clientHelloBytes, extension, type HelloShape, prefixed, serverNameExtension } from './client-hello-fixture.ts';

/** The first flight of Node's own TLS client. */
function helloOfNode(options: tls.ConnectionOptions): Promise<Buffer> {
  return new Promise((resolve) => {
    const wire = new Duplex({
      read: () => undefined,
      write(bytes: Buffer, _encoding, done) {
        resolve(bytes);
        done();
      },
    });
    const client = tls.connect({ ...options, socket: wire });
    client.on('error', () => undefined);
  });
}

/** Feeds prefixes as a socket would: only when as many bytes are there as were asked for. */
function inspectInPieces(bytes: Buffer, cuts: readonly number[]): ClientHelloInspection {
  let neededBytes = 1;
  const ends = [...cuts.filter((cut) => cut < bytes.length), bytes.length].sort((a, b) => a - b);
  for (const cut of ends) {
    if (cut < neededBytes) continue;
    const inspection = inspectClientHello(bytes.subarray(0, cut));
    if (inspection.kind !== 'incomplete') return inspection;
    expect(inspection.neededBytes).toBeGreaterThan(cut);
    neededBytes = inspection.neededBytes;
  }
  return { kind: 'incomplete', neededBytes };
}

const HELLO = { serverName: 'API.Example.com', applicationProtocols: ['h2', 'http/1.1'], versions: [0x0304, 0x0303] };

describe('a ClientHello', () => {
  it('shows server name, application protocols and versions of a real client', async () => {
    const bytes = await helloOfNode({ servername: 'web.mesh', ALPNProtocols: ['h2', 'http/1.1'] });
    expect(inspectClientHello(bytes)).toEqual({
      kind: 'clientHello',
      clientHello: {
        serverName: 'web.mesh',
        applicationProtocols: ['h2', 'http/1.1'],
        versions: [0x0304, 0x0303],
      },
    });
  });

  it('of a client that speaks TLS 1.2 shows its legacy version, and nothing it did not say', async () => {
    const bytes = await helloOfNode({ maxVersion: 'TLSv1.2' });
    expect(inspectClientHello(bytes)).toEqual({
      kind: 'clientHello',
      clientHello: { serverName: '', applicationProtocols: [], versions: [0x0303] },
    });
  });

  it('has its name in lower case, as chains are matched', () => {
    expect(inspectClientHello(clientHelloBytes(HELLO))).toMatchObject({
      clientHello: { serverName: 'api.example.com' },
    });
  });

  it('is read out of records of any size, down to one byte', () => {
    const whole = inspectClientHello(clientHelloBytes(HELLO));
    for (const recordBytes of [1, 2, 3, 4, 5, 40, 100]) {
      expect(inspectClientHello(clientHelloBytes({ ...HELLO, recordBytes }))).toEqual(whole);
    }
  });

  it('gives the same result however its bytes are cut, and whatever follows it', () => {
    const shapes = fc.record({
      recordBytes: fc.integer({ min: 1, max: 300 }),
      sessionIdBytes: fc.integer({ min: 0, max: 32 }),
      paddingBytes: fc.integer({ min: 0, max: 600 }),
    });
    fc.assert(
      fc.property(shapes, fc.array(fc.nat(1_500)), fc.uint8Array({ maxLength: 40 }), (shape, cuts, tail) => {
        const hello = clientHelloBytes({ ...HELLO, ...shape });
        const bytes = Buffer.concat([hello, tail]);
        const whole = inspectClientHello(bytes);
        expect(whole.kind).toBe('clientHello');
        expect(inspectInPieces(bytes, cuts)).toEqual(whole);
        expect(inspectClientHello(hello.subarray(0, -1)).kind).toBe('incomplete');
      }),
    );
  });

  it('asks at each step for no more bytes than the message has', () => {
    const bytes = clientHelloBytes({ ...HELLO, recordBytes: 30 });
    for (let length = 0; length < bytes.length; length++) {
      const inspection = inspectClientHello(bytes.subarray(0, length));
      expect(inspection.kind).toBe('incomplete');
      if (inspection.kind === 'incomplete') expect(inspection.neededBytes).toBeLessThanOrEqual(bytes.length);
    }
  });

  it.each([
    ['a request in plaintext', 'GET / HTTP/1.1\r\n'],
    ['the HTTP/2 preface', 'PRI * HTTP/2.0\r\n'],
    ['an SSH banner', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['an alert record', '\x15\x03\x01\x00\x02\x01\x00'],
    ['an SSL 2 hello', '\x80\x2e\x01\x00\x02'],
    ['a record of another major version', '\x16\x02'],
  ])('is not seen in %s, known by its first bytes', (_what, text) => {
    const bytes = Buffer.from(text, 'latin1');
    expect(inspectClientHello(bytes.subarray(0, 2))).toEqual({ kind: 'notTls' });
  });

  const twice = serverNameExtension(Buffer.from('a.b'));
  it.each<[string, string, HelloShape]>([
    ['another handshake message', 'not-client-hello', { messageType: 2 }],
    ['a session id longer than 32 bytes', 'body', { sessionIdBytes: 33 }],
    ['an extension said twice', 'extensions', { extensions: [twice, twice] }],
    ['an extension that ends beyond the list', 'extensions', { extensions: [Buffer.from([0, 99, 0, 9, 1])] }],
    ['a name of another type', 'server-name', { extensions: [serverNameExtension(Buffer.from('a'), 1)] }],
    ['an empty name', 'server-name', { extensions: [serverNameExtension(Buffer.alloc(0))] }],
    ['a name with NUL', 'server-name', { extensions: [serverNameExtension(Buffer.from('a.b\0.c'))] }],
    ['a name with a line break', 'server-name', { extensions: [serverNameExtension(Buffer.from('a\r\nb'))] }],
    ['a name beyond 255 bytes', 'server-name', { serverName: 'a'.repeat(256) }],
    ['two names', 'server-name', { extensions: [extension(0, prefixed(2, Buffer.from([0, 0, 1, 97, 0, 0, 1, 98])))] }],
    [
      'bytes behind the list of names',
      'server-name',
      { extensions: [extension(0, Buffer.from([0, 4, 0, 0, 1, 97, 0]))] },
    ],
    ['an empty list of protocols', 'application-protocols', { applicationProtocols: [] }],
    ['an empty protocol', 'application-protocols', { applicationProtocols: ['h2', ''] }],
    ['half a version', 'supported-versions', { extensions: [extension(43, Buffer.from([3, 3, 4, 3]))] }],
  ])('with %s is refused as %s', (_what, reason, shape) => {
    expect(inspectClientHello(clientHelloBytes(shape))).toEqual({ kind: 'malformed', reason });
  });

  it('is refused where a record is empty or of another type', () => {
    expect(inspectClientHello(Buffer.from([22, 3, 1, 0, 0]))).toEqual({ kind: 'malformed', reason: 'record' });
    const bytes = clientHelloBytes({ recordBytes: 10 });
    bytes[15] = 23;
    expect(inspectClientHello(bytes.subarray(0, 16))).toEqual({ kind: 'malformed', reason: 'record' });
  });

  it('is held to its bound before the bytes have come', () => {
    const fits = clientHelloBytes({ paddingBytes: 16_000 });
    expect(fits.length).toBeLessThanOrEqual(MAX_CLIENT_HELLO_BYTES);
    expect(inspectClientHello(fits).kind).toBe('clientHello');
    const tooLarge = { kind: 'malformed', reason: 'too-large' };
    expect(inspectClientHello(clientHelloBytes({ paddingBytes: 17_000 }).subarray(0, 9))).toEqual(tooLarge);
    const tiny = clientHelloBytes({ paddingBytes: 6_000, recordBytes: 1 });
    expect(inspectClientHello(tiny)).toEqual(tooLarge);
    expect(inspectClientHello(tiny.subarray(0, MAX_CLIENT_HELLO_BYTES))).toEqual(tooLarge);
  });
});

describe('whatever bytes come', () => {
  it('there is one answer, and it does not depend on how they are cut', () => {
    const hello = clientHelloBytes({ ...HELLO, recordBytes: 50 });
    const mutated = fc.array(fc.tuple(fc.nat(hello.length - 1), fc.nat(255)), { maxLength: 6 }).map((changes) => {
      const bytes = Buffer.from(hello);
      for (const [at, value] of changes) bytes[at] = value;
      return bytes;
    });
    const random = fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from([22, 3, ...bytes]));
    fc.assert(
      fc.property(fc.oneof(mutated, random), fc.array(fc.nat(700)), (bytes, cuts) => {
        expect(inspectInPieces(bytes, cuts)).toEqual(inspectClientHello(bytes));
      }),
      { numRuns: 500 },
    );
  });
});
