import type { Json } from '../snapshot/resource-literal.ts';
import { TranslationFault } from './translation-fault.ts';

const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.|$)){4}$/;

/** Envoy's addresses are IP literals: a name would have to be resolved by somebody, and nobody here does. */
export function isIpLiteral(text: string): boolean {
  return IPV4.test(text) || (text.includes(':') && URL.canParse(`http://[${text}]`));
}

/** envoy.config.core.v3.Address of a socket. Throws a TranslationFault that names `where`. */
export function socketAddressJson(address: string, port: number, where: string): Json {
  if (!isIpLiteral(address)) throw new TranslationFault(where, `"${address}" is no IP address; register one`);
  if (port === 0) throw new TranslationFault(where, 'has no port; register one');
  if (port > 65_535) throw new TranslationFault(where, `port ${port} does not exist; register one up to 65535`);
  return { socketAddress: { address, portValue: port } };
}

/** envoy.config.core.v3.Address of a Unix socket; mode 0 leaves its permissions to whoever binds it. */
export function pipeAddressJson(path: string, mode = 0): Json {
  return { pipe: { path, ...(mode === 0 ? {} : { mode }) } };
}
