import { describe, expect, it } from 'vitest';
import type { FilterChainMatch } from '../../resource/listener.ts';
import { type ConnectionFacts, FilterChainSelector, needsTlsInspector } from './filter-chain-selector.ts';

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
};

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
