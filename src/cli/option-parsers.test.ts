import { describe, expect, it } from 'vitest';
import {
  parseCount,
  parseDurationMs,
  parseHostAndPort,
  parseHostAndPorts,
  parseHttpUrl,
  parsePort,
} from './option-parsers.ts';

describe('option parsers', () => {
  it.each([
    ['20s', 20_000],
    ['1.5m', 90_000],
    ['250ms', 250],
    ['1h', 3_600_000],
  ])('%s is %d ms', (text, expected) => {
    expect(parseDurationMs(text)).toBe(expected);
  });

  it.each(['', '20', 's', '-1s', '1d', '1e3s'])('refuses the duration %j', (text) => {
    expect(() => parseDurationMs(text)).toThrow('duration');
  });

  it.each(['', '-1', '65536', '1.5', 'http'])('refuses the port %j', (text) => {
    expect(() => parsePort(text)).toThrow('port');
  });

  it.each(['0', '', '-3', '2.5'])('refuses the count %j', (text) => {
    expect(() => parseCount(text)).toThrow('whole number');
  });

  it('reads host and port, IPv6 in brackets', () => {
    expect(parseHostAndPort('a.b:80')).toEqual({ host: 'a.b', port: 80 });
    expect(parseHostAndPort('[::1]:80')).toEqual({ host: '::1', port: 80 });
    expect(parseHostAndPorts('a:1, b:2')).toEqual([
      { host: 'a', port: 1 },
      { host: 'b', port: 2 },
    ]);
  });

  it.each(['a', 'a:', ':80', '::1:80', 'a:99999', 'http://a:80'])('refuses %j as host and port', (text) => {
    expect(() => parseHostAndPort(text)).toThrow('host:port');
  });

  it('takes a URL without its last slash, and refuses what is none', () => {
    expect(parseHttpUrl('http://127.0.0.1:8500/')).toBe('http://127.0.0.1:8500');
    for (const text of ['127.0.0.1:8500', 'ftp://a', '']) expect(() => parseHttpUrl(text)).toThrow('URL');
  });
});
