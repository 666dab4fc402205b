import { describe, expect, it } from 'vitest';
import { consulSettings, otelEnvironment } from './environment.ts';

describe('environment', () => {
  it('takes the option before the variable before the default', () => {
    expect(consulSettings(undefined, {}).addresses).toEqual(['http://127.0.0.1:8500']);
    expect(consulSettings(undefined, { CONSUL_HTTP_ADDR: '10.0.0.1:8500' }).addresses).toEqual([
      'http://10.0.0.1:8500',
    ]);
    expect(consulSettings('http://a:1/', { CONSUL_HTTP_ADDR: 'b:2' }).addresses).toEqual(['http://a:1']);
  });

  it('reads CONSUL_HTTP_SSL, the token and several addresses', () => {
    const settings = consulSettings('a:1,b:2', { CONSUL_HTTP_SSL: 'true', CONSUL_HTTP_TOKEN: 't' });
    expect(settings).toEqual({ addresses: ['https://a:1', 'https://b:2'], token: 't' });
  });

  it('names what is wrong with an address', () => {
    expect(() => consulSettings('unix:///run/x', {})).toThrow("'unix:///run/x' is not an address");
  });

  it('lets only OTEL variables through', () => {
    expect(otelEnvironment({ OTEL_A: '1', OTEL_B: '', PATH: 'x' })).toEqual({ OTEL_A: '1' });
  });
});
