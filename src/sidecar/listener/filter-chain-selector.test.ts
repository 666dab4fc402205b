import { describe, expect, it } from 'vitest';
import type { CidrRange } from '../../resource/address.ts';
import type { FilterChainMatch, SourceMatch } from '../../resource/listener.ts';
import type { ConnectionFacts } from './filter-chain-criteria.ts';
import { FilterChainSelector, needsTlsInspector } from './filter-chain-selector.ts';

function chain(name: string, match: Partial<FilterChainMatch>): { name: string; match: FilterChainMatch } {
  const everything = {
    destinationPort: undefined,
    prefixRanges: [],
    serverNames: [],
    transportProtocol: '',
    applicationProtocols: [],
  };
  return { name, match: { ...everything, ...match } };
}

const FACTS: ConnectionFacts = {
  localAddress: '10.1.2.3',
  localPort: 443,
  serverName: 'api.example.com',
  transportProtocol: 'tls',
  applicationProtocols: ['h2', 'http/1.1'],
  directRemoteAddress: '192.0.2.7',
  remoteAddress: '198.51.100.9',
  remotePort: 40_000,
};

function from(name: string, source: Partial<SourceMatch>): ReturnType<typeof chain> {
  return chain(name, { source: { directPrefixRanges: [], type: 'any', prefixRanges: [], ports: [], ...source } });
}

const range = (addressPrefix: string, prefixLength: number): CidrRange => ({ addressPrefix, prefixLength });

function selected(chains: readonly ReturnType<typeof chain>[], facts: Partial<ConnectionFacts> = {}): string {
  const names = [chains, [...chains].reverse()].map(
    (order) => new FilterChainSelector(order).select({ ...FACTS, ...facts })?.name ?? '',
  );
  expect(names[0]).toBe(names[1]);
  return names[0] ?? '';
}

const any = chain('any', {});

describe('the chain of a connection', () => {
  it('is the only one where that asks nothing', () => {
    expect(selected([any])).toBe('any');
    expect(selected([])).toBe('');
  });

  it('is chosen by port first, and there is no way back', () => {
    const port = chain('port', { destinationPort: 443, serverNames: ['other.example.com'] });
    const name = chain('name', { serverNames: ['api.example.com'] });
    expect(selected([port, name, any])).toBe('');
    expect(selected([port, name, any], { localPort: 80 })).toBe('name');
  });

  it('then by the longest address range, mapped addresses included', () => {
    const wide = chain('wide', { prefixRanges: [{ addressPrefix: '10.0.0.0', prefixLength: 8 }] });
    const narrow = chain('narrow', {
      prefixRanges: [
        { addressPrefix: '192.0.2.0', prefixLength: 24 },
        { addressPrefix: '10.1.2.0', prefixLength: 24 },
      ],
    });
    const six = chain('six', { prefixRanges: [{ addressPrefix: '2001:db8::', prefixLength: 32 }] });
    const all = chain('all', { prefixRanges: [{ addressPrefix: '0.0.0.0', prefixLength: 0 }] });
    expect(selected([wide, narrow, six, all, any])).toBe('narrow');
    expect(selected([wide, narrow, six, all, any], { localAddress: '::ffff:10.9.9.9' })).toBe('wide');
    expect(selected([wide, narrow, six, all, any], { localAddress: '2001:db8::5' })).toBe('six');
    expect(selected([wide, narrow, six, all, any], { localAddress: '11.0.0.1' })).toBe('all');
    expect(selected([wide, narrow, six, all, any], { localAddress: '::1' })).toBe('any');
  });

  it('then by server name: whole, then the longest wildcard, then none', () => {
    const chains = [
      chain('exact', { serverNames: ['api.example.com'] }),
      chain('example', { serverNames: ['*.example.com', 'example.com'] }),
      chain('com', { serverNames: ['*.com'] }),
      chain('named', { serverNames: ['*'] }),
      any,
    ];
    expect(selected(chains)).toBe('exact');
    expect(selected(chains, { serverName: 'a.b.example.com' })).toBe('example');
    expect(selected(chains, { serverName: 'example.com' })).toBe('example');
    expect(selected(chains, { serverName: 'notexample.com' })).toBe('com');
    expect(selected(chains, { serverName: 'example.org' })).toBe('named');
    expect(selected(chains, { serverName: '' })).toBe('any');
  });

  it('then by transport protocol', () => {
    const chains = [chain('tls', { transportProtocol: 'tls' }), chain('plain', { transportProtocol: 'raw_buffer' })];
    expect(selected(chains)).toBe('tls');
    expect(selected(chains, { transportProtocol: 'raw_buffer' })).toBe('plain');
  });

  it('then by the application protocol that the client would rather speak', () => {
    const chains = [
      chain('http1', { applicationProtocols: ['http/1.0', 'http/1.1'] }),
      chain('http2', { applicationProtocols: ['h2', 'h2c'] }),
      any,
    ];
    expect(selected(chains)).toBe('http2');
    expect(selected(chains, { applicationProtocols: ['http/1.1', 'h2'] })).toBe('http1');
    expect(selected(chains, { applicationProtocols: ['mqtt'] })).toBe('any');
    expect(selected(chains, { applicationProtocols: [] })).toBe('any');
  });

  it('then by the range of the directly connected peer, whatever the PROXY protocol told', () => {
    const chains = [
      from('wide', { directPrefixRanges: [range('192.0.0.0', 8)] }),
      from('narrow', { directPrefixRanges: [range('192.0.2.0', 24)] }),
      from('told', { directPrefixRanges: [range('198.51.100.0', 24)] }),
    ];
    expect(selected(chains)).toBe('narrow');
    expect(selected(chains, { directRemoteAddress: '192.1.1.1' })).toBe('wide');
    expect(selected(chains, { directRemoteAddress: '203.0.113.1' })).toBe('');
    expect(selected([...chains, any], { directRemoteAddress: '203.0.113.1' })).toBe('any');
  });

  it.each([
    ['the loopback address', { remoteAddress: '127.0.0.1' }, 'local'],
    ['the loopback address of IPv6', { remoteAddress: '::1', localAddress: '2001:db8::5' }, 'local'],
    ['the loopback address, mapped', { remoteAddress: '::ffff:127.0.0.1', localAddress: '::ffff:10.1.2.3' }, 'local'],
    ['another address of 127.0.0.0/8', { remoteAddress: '127.0.0.2' }, 'external'],
    ['the address that was called', { remoteAddress: '10.1.2.3' }, 'local'],
    ['the address that was called, mapped', { remoteAddress: '::ffff:10.1.2.3' }, 'local'],
    ['a Unix socket', { remoteAddress: '', localAddress: '' }, 'local'],
    ['a peer that is gone', { remoteAddress: '' }, 'external'],
    ['another host', {}, 'external'],
  ])('then by source type: from %s', (_, facts, expected) => {
    const chains = [from('local', { type: 'sameIpOrLoopback' }), from('external', { type: 'external' }), any];
    expect(selected(chains, facts)).toBe(expected);
    expect(selected([any, ...chains.filter(({ name }) => name !== expected)], facts)).toBe('any');
  });

  it("then by the longest range of the client's address", () => {
    const chains = [
      from('net', { prefixRanges: [range('198.51.0.0', 16), range('192.0.2.0', 24)] }),
      from('host', { prefixRanges: [range('198.51.100.9', 32)] }),
      from('agent', { prefixRanges: [range('10.9.9.9', 32), range('127.0.0.1', 8), range('::1', 128)] }),
      from('link', { prefixRanges: [range('fe80::', 10)] }),
    ];
    expect(selected(chains)).toBe('host');
    expect(selected(chains, { remoteAddress: '198.51.1.1' })).toBe('net');
    expect(selected(chains, { remoteAddress: '127.3.2.1' })).toBe('agent');
    expect(selected(chains, { remoteAddress: '::ffff:127.0.0.1' })).toBe('agent');
    expect(selected(chains, { remoteAddress: '::1' })).toBe('agent');
    expect(selected(chains, { remoteAddress: 'fe80::1%eth0' })).toBe('link');
    expect(selected(chains, { remoteAddress: '203.0.113.1' })).toBe('');
    expect(selected(chains, { remoteAddress: '' })).toBe('');
  });

  it('then by source port', () => {
    const chains = [from('odd', { ports: [40_001, 40_003] }), from('even', { ports: [40_000] }), any];
    expect(selected(chains)).toBe('even');
    expect(selected(chains, { remotePort: 40_003 })).toBe('odd');
    expect(selected(chains, { remotePort: 1 })).toBe('any');
  });

  it('asks about the source after all else, in order: direct range, type, range, port', () => {
    const prefixRanges = [range('198.51.100.0', 24)];
    const chains = [
      chain('alpn', { applicationProtocols: ['h2'] }),
      from('direct', { directPrefixRanges: [range('0.0.0.0', 0)] }),
      from('type', { type: 'external' }),
      from('range', { prefixRanges }),
      from('port', { ports: [40_000] }),
    ];
    const winners = chains.map((_, index) => selected(chains.slice(index)));
    expect(winners).toEqual(['alpn', 'direct', 'type', 'range', 'port']);
    // No way back: the range has decided before the port is looked at.
    expect(selected([from('one', { prefixRanges, ports: [1] }), from('two', { ports: [40_000] })])).toBe('');
  });

  it('looks at nothing that no chain asks about', () => {
    const asked: (string | symbol)[] = [];
    const facts = new Proxy(FACTS, {
      get: (target, name, receiver) => {
        asked.push(name);
        return Reflect.get(target, name, receiver);
      },
    });
    new FilterChainSelector([any]).select(facts);
    expect(asked).toEqual([]);
    new FilterChainSelector([chain('named', { serverNames: ['*.com'] }), any]).select(facts);
    expect(new Set(asked)).toEqual(new Set(['serverName']));
  });

  it('needs a TLS inspector where a name, TLS or ALPN is asked for', () => {
    expect(needsTlsInspector(any)).toBe(false);
    expect(needsTlsInspector(chain('', { serverNames: ['a'] }))).toBe(true);
    expect(needsTlsInspector(chain('', { transportProtocol: 'tls' }))).toBe(true);
    expect(needsTlsInspector(chain('', { applicationProtocols: ['h2'] }))).toBe(true);
    expect(needsTlsInspector(chain('', { transportProtocol: 'raw_buffer', applicationProtocols: ['h2c'] }))).toBe(
      false,
    );
  });
});
