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
    expect(settings).toMatchObject({ addresses: ['https://a:1', 'https://b:2'], token: 't' });
  });

  it("reads the files of tokens and certificates, and the scope, under Consul's own names", () => {
    const settings = consulSettings(undefined, {
      CONSUL_HTTP_TOKEN_FILE: '/t',
      CONSUL_CACERT: '/ca',
      CONSUL_CAPATH: '/cas',
      CONSUL_CLIENT_CERT: '/c',
      CONSUL_CLIENT_KEY: '/k',
      CONSUL_TLS_SERVER_NAME: 'server.dc1.consul',
      CONSUL_HTTP_SSL_VERIFY: 'false',
      CONSUL_NAMESPACE: 'team',
      CONSUL_PARTITION: 'part',
    });
    expect(settings).toMatchObject({
      tokenFile: '/t',
      tls: {
        caFile: '/ca',
        caFolder: '/cas',
        certificateFile: '/c',
        keyFile: '/k',
        serverName: 'server.dc1.consul',
        verify: false,
      },
      namespace: 'team',
      partition: 'part',
    });
  });

  it('refuses a word that is neither true nor false, by the name of its variable', () => {
    expect(() => consulSettings(undefined, { CONSUL_HTTP_SSL: 'yes' })).toThrow("CONSUL_HTTP_SSL: 'yes' is neither");
  });

  it('names what is wrong with an address', () => {
    expect(() => consulSettings('unix:///run/x', {})).toThrow("'unix:///run/x' is not an address");
  });

  it('lets only OTEL variables through', () => {
    expect(otelEnvironment({ OTEL_A: '1', OTEL_B: '', PATH: 'x' })).toEqual({ OTEL_A: '1' });
  });
});
