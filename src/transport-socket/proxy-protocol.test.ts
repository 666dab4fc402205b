import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inspectProxyHeader, type ProxyHeaderInspection, V2_SIGNATURE } from './proxy-protocol.ts';
import { proxyHeaderText } from './proxy-protocol-writer.ts';

function text(header: string): Buffer {
  return Buffer.from(header, 'latin1');
}

/** A version 2 header; `declared` is what its length field says. */
function v2(command: number, family: number, body: Buffer, declared: number = body.length): Buffer {
  const fixed = Buffer.from([command, family, declared >> 8, declared & 0xff]);
  return Buffer.concat([V2_SIGNATURE, fixed, body]);
}

const IPV4_BODY = Buffer.from([192, 0, 2, 1, 198, 51, 100, 7, 0x30, 0x39, 0, 80]);
const IPV4 = {
  sourceAddress: '192.0.2.1',
  sourcePort: 12_345,
  destinationAddress: '198.51.100.7',
  destinationPort: 80,
};
const IPV6 = { sourceAddress: '2001:db8::1', sourcePort: 1, destinationAddress: '::1', destinationPort: 65_535 };

function tlv(type: number, value: Buffer, declared: number = value.length): Buffer {
  return Buffer.concat([Buffer.from([type, declared >> 8, declared & 0xff]), value]);
}

function inspectInPieces(bytes: Buffer, cuts: readonly number[]): ProxyHeaderInspection {
  let neededBytes = 1;
  const ends = [...cuts.filter((cut) => cut < bytes.length), bytes.length].sort((a, b) => a - b);
  for (const cut of ends) {
    if (cut < neededBytes) continue;
    const inspection = inspectProxyHeader(bytes.subarray(0, cut));
    if (inspection.kind !== 'incomplete') return inspection;
    expect(inspection.neededBytes).toBeGreaterThan(cut);
    neededBytes = inspection.neededBytes;
  }
  return { kind: 'incomplete', neededBytes };
}

describe('PROXY protocol version 1', () => {
  it('gives both ends, and leaves alone what is fused to the line', () => {
    const line = 'PROXY TCP4 192.0.2.1 198.51.100.7 12345 80\r\n';
    expect(inspectProxyHeader(text(`${line}GET / HTTP/1.1\r\n`))).toEqual({
      kind: 'header',
      version: 1,
      length: line.length,
      addresses: IPV4,
    });
  });

  it('knows IPv6', () => {
    const line = 'PROXY TCP6 2001:db8::1 ::1 1 65535\r\n';
    expect(inspectProxyHeader(text(line))).toMatchObject({ kind: 'header', addresses: IPV6 });
  });

  it.each(['PROXY UNKNOWN\r\n', 'PROXY UNKNOWN ffff::1 ::2 9 9 anything\r\n'])(
    'leaves the connection its own ends for %j',
    (line) => {
      const header = { kind: 'header', version: 1, length: line.length, addresses: undefined };
      expect(inspectProxyHeader(text(line))).toEqual(header);
    },
  );

  it.each([
    ['PROXY TCP4 192.0.2.1 198.51.100.7 12345 80\n', 'line-format'],
    ['PROXY TCP4 192.0.2.1 198.51.100.7 12345\r 80\r\n', 'line-format'],
    ['PROXY TCP4  192.0.2.1 198.51.100.7 12345 80\r\n', 'line-format'],
    ['PROXY TCP4 192.0.2.1 198.51.100.7 12345 80 \r\n', 'line-format'],
    ['PROXY TCP4 192.0.2.1 198.51.100.7 12345\r\n', 'line-format'],
    ['PROXY UDP4 192.0.2.1 198.51.100.7 12345 80\r\n', 'line-format'],
    ['PROXY tcp4 192.0.2.1 198.51.100.7 12345 80\r\n', 'line-format'],
    ['PROXY TCP4 192.0.2.256 198.51.100.7 12345 80\r\n', 'address'],
    ['PROXY TCP4 192.0.2.01 198.51.100.7 12345 80\r\n', 'address'],
    ['PROXY TCP4 2001:db8::1 ::1 12345 80\r\n', 'address'],
    ['PROXY TCP6 fe80::1%eth0 ::1 12345 80\r\n', 'address'],
    ['PROXY TCP6 192.0.2.1 198.51.100.7 12345 80\r\n', 'address'],
    ['PROXY TCP4 192.0.2.1 198.51.100.7 65536 80\r\n', 'port'],
    ['PROXY TCP4 192.0.2.1 198.51.100.7 012 80\r\n', 'port'],
    ['PROXY TCP4 192.0.2.1 198.51.100.7 +12 80\r\n', 'port'],
    [`PROXY UNKNOWN ${'x'.repeat(93)}\r\n`, 'line-too-long'],
    [`PROXY ${'x'.repeat(200)}`, 'line-too-long'],
  ])('refuses %j as %s', (line, reason) => {
    expect(inspectProxyHeader(text(line))).toEqual({ kind: 'malformed', version: 1, reason });
  });
});

describe('PROXY protocol version 2', () => {
  it('gives both ends, passes over what TLVs say, and leaves alone what is fused to the header', () => {
    const tlvs = Buffer.concat([
      tlv(2, text('authority.example')),
      tlv(4, Buffer.alloc(0)),
      tlv(0x20, Buffer.alloc(300)),
    ]);
    const header = v2(0x21, 0x11, Buffer.concat([IPV4_BODY, tlvs]));
    const inspection = inspectProxyHeader(Buffer.concat([header, text('payload')]));
    expect(inspection).toEqual({ kind: 'header', version: 2, length: header.length, addresses: IPV4 });
  });

  it('knows IPv6, and writes mapped addresses with dots', () => {
    const mapped = text('\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\x01\x02\x03');
    const loopback = Buffer.concat([Buffer.alloc(15), Buffer.from([1])]);
    const body = Buffer.concat([mapped, loopback, Buffer.from([0, 1, 0, 2])]);
    expect(inspectProxyHeader(v2(0x21, 0x21, body))).toMatchObject({
      addresses: { sourceAddress: '::ffff:10.1.2.3', destinationAddress: '::1', sourcePort: 1, destinationPort: 2 },
    });
  });

  it.each([
    ['LOCAL, whatever stands behind it', v2(0x20, 0x00, Buffer.from([9, 9, 9]))],
    ['LOCAL with addresses', v2(0x20, 0x11, IPV4_BODY)],
    ['UNSPEC', v2(0x21, 0x00, Buffer.alloc(0))],
    ['UNSPEC with a body', v2(0x21, 0x00, Buffer.alloc(30))],
    ['a unix socket', v2(0x21, 0x31, Buffer.alloc(216))],
  ])('leaves the connection its own ends for %s', (_what, header) => {
    const inspection = inspectProxyHeader(Buffer.concat([header, text('x')]));
    expect(inspection).toEqual({ kind: 'header', version: 2, length: header.length, addresses: undefined });
  });

  it.each([
    ['another version', 'version', v2(0x11, 0x11, IPV4_BODY)],
    ['another command', 'command', v2(0x22, 0x11, IPV4_BODY)],
    ['datagrams', 'family', v2(0x21, 0x12, IPV4_BODY)],
    ['a family nobody knows', 'family', v2(0x21, 0x41, IPV4_BODY)],
    ['too little room for its addresses', 'length', v2(0x21, 0x11, IPV4_BODY, 11)],
    ['too little room for a unix socket', 'length', v2(0x21, 0x31, Buffer.alloc(215))],
    ['a TLV that ends beyond the header', 'tlv', v2(0x21, 0x11, Buffer.concat([IPV4_BODY, tlv(1, text('ab'), 3)]))],
    ['half a TLV', 'tlv', v2(0x21, 0x11, Buffer.concat([IPV4_BODY, Buffer.from([1, 0])]))],
    ['more than the bound', 'too-long', v2(0x21, 0x11, IPV4_BODY, 16_400)],
  ])('refuses %s', (_what, reason, header) => {
    expect(inspectProxyHeader(header)).toEqual({ kind: 'malformed', version: 2, reason });
  });

  it('refuses a wrong version before the header is complete', () => {
    const start = Buffer.concat([V2_SIGNATURE, Buffer.from([0x31])]);
    expect(inspectProxyHeader(start)).toEqual({ kind: 'malformed', version: 2, reason: 'version' });
  });
});

describe('bytes that begin no header', () => {
  it.each(['GET / HTTP/1.1\r\n', 'PROX', 'PROXY', '\r\n\r\n', '\r\nGET', 'PROXYTCP4', '\x16\x03\x01'])(
    'are told apart as soon as they can be: %j',
    (start) => {
      const isOpen = ['PROX', 'PROXY', '\r\n\r\n'].includes(start);
      expect(inspectProxyHeader(text(start)).kind).toBe(isOpen ? 'incomplete' : 'absent');
    },
  );
});

const ports = fc.integer({ min: 0, max: 65_535 });
const ipv4 = fc.ipV4();
const ipv6 = fc.ipV6().filter((address) => !address.includes('.'));
const endpoints = fc.oneof(fc.tuple(ipv4, ipv4), fc.tuple(ipv6, ipv6));

describe('what is written is read back', () => {
  it('in both versions, whatever the addresses, cut anywhere, with the payload kept', () => {
    const versions = fc.constantFrom('v1', 'v2');
    fc.assert(
      fc.property(
        versions,
        endpoints,
        ports,
        ports,
        fc.array(fc.nat(120)),
        (version, [from, to], source, target, cuts) => {
          const addresses = {
            sourceAddress: from,
            sourcePort: source,
            destinationAddress: to,
            destinationPort: target,
          };
          const header = text(proxyHeaderText(version, addresses));
          const bytes = Buffer.concat([header, text('payload')]);
          const inspection = inspectInPieces(bytes, cuts);
          expect(inspection).toEqual(inspectProxyHeader(bytes));
          expect(inspection).toMatchObject({
            kind: 'header',
            length: header.length,
            addresses: { sourcePort: source, destinationPort: target },
          });
          if (inspection.kind !== 'header') return;
          expect(canonical(inspection.addresses?.sourceAddress)).toBe(canonical(from));
          expect(canonical(inspection.addresses?.destinationAddress)).toBe(canonical(to));
        },
      ),
    );
  });

  it('with mapped addresses as plain IPv4', () => {
    const mapped = { ...IPV4, sourceAddress: '::ffff:192.0.2.1', destinationAddress: '::FFFF:198.51.100.7' };
    for (const version of ['v1', 'v2'] as const) {
      expect(inspectProxyHeader(text(proxyHeaderText(version, mapped)))).toMatchObject({ addresses: IPV4 });
    }
  });

  it.each([
    ['no addresses', undefined],
    ['two families', { ...IPV4, sourceAddress: '2001:db8::1' }],
    ['no address at all', { ...IPV4, sourceAddress: '' }],
  ])('as a connection that speaks for itself where there are %s', (_what, addresses) => {
    expect(proxyHeaderText('v1', addresses)).toBe('PROXY UNKNOWN\r\n');
    const header = text(proxyHeaderText('v2', addresses));
    expect(header[12]).toBe(0x20);
    expect(inspectProxyHeader(header)).toEqual({ kind: 'header', version: 2, length: 16, addresses: undefined });
  });
});

describe('whatever bytes come', () => {
  it('there is one answer, and it does not depend on how they are cut', () => {
    const body = Buffer.concat([IPV4_BODY, tlv(1, text('h2')), tlv(0x20, Buffer.alloc(20))]);
    const seeds = [v2(0x21, 0x11, body), text('PROXY TCP4 192.0.2.1 198.51.100.7 12345 80\r\nGET / HTTP/1.1\r\n')];
    const bytes = fc
      .tuple(fc.constantFrom(...seeds), fc.array(fc.tuple(fc.nat(80), fc.nat(255)), { maxLength: 4 }))
      .map(([seed, changes]) => {
        const mutated = Buffer.from(seed);
        for (const [at, value] of changes) if (at < mutated.length) mutated[at] = value;
        return mutated;
      });
    fc.assert(
      fc.property(bytes, fc.array(fc.nat(100)), (mutated, cuts) => {
        const whole = inspectProxyHeader(mutated);
        expect(inspectInPieces(mutated, cuts)).toEqual(whole);
        if (whole.kind === 'header') expect(whole.length).toBeLessThanOrEqual(mutated.length);
      }),
      { numRuns: 1_000 },
    );
  });
});

function canonical(address: string | undefined): string {
  if (address === undefined || !address.includes(':')) return address ?? '';
  return new URL(`http://[${address}]`).hostname;
}
