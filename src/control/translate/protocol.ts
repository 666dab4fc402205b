import { originText } from './catalog.ts';
import type { ConfigEntries } from './config-entries.ts';
import { TranslationFault } from './translation-fault.ts';

export const PROTOCOLS = ['tcp', 'http', 'http2', 'grpc'] as const;
export type Protocol = (typeof PROTOCOLS)[number];

/** Protocols whose requests are routed one by one. */
export function isHttp(protocol: Protocol): boolean {
  return protocol !== 'tcp';
}

/** Protocols that speak HTTP/2 to the next hop. */
export function isHttp2(protocol: Protocol): boolean {
  return protocol === 'http2' || protocol === 'grpc';
}

/** What a service speaks: its own service-defaults, then proxy-defaults, then Consul's default. */
export function protocolOfService(service: string, entries: ConfigEntries): Protocol {
  const defaults = entries.serviceDefaults.get(service);
  if (defaults !== undefined && defaults.protocol !== '')
    return knownProtocol(defaults.protocol, originText(defaults.origin));
  const { proxyDefaults } = entries;
  const meshWide = proxyDefaults?.config['protocol'];
  if (proxyDefaults !== undefined && typeof meshWide === 'string' && meshWide !== '') {
    return knownProtocol(meshWide, originText(proxyDefaults.origin));
  }
  return 'tcp';
}

/** Throws a TranslationFault that names `where` for a word that is none. */
export function knownProtocol(word: string, where: string): Protocol {
  const protocol = PROTOCOLS.find((candidate) => candidate === word.toLowerCase());
  if (protocol !== undefined) return protocol;
  throw new TranslationFault(where, `unknown protocol "${word}"; use one of ${PROTOCOLS.join(', ')}`);
}
