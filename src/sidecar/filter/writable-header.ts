import { isCanonicalValue } from '../../http/http1/http1.ts';
import { HEADER_NAME } from '../../resource/header-mutation-decode.ts';
import type { HeaderValueOption } from '../../resource/route-configuration.ts';

/** Names on which framing and routing rest: whoever changed them would change what was authorized. */
const RESERVED = new Set([
  'host',
  'connection',
  'content-length',
  'transfer-encoding',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'upgrade',
  'http2-settings',
]);

export function isWritableName(name: string): boolean {
  return HEADER_NAME.test(name) && !RESERVED.has(name);
}

/** Whether what a service asks for can be written as it stands. */
export function isWritable({ name, value }: HeaderValueOption): boolean {
  return isWritableName(name) && isCanonicalValue(value);
}
