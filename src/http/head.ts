import type { HeaderFields } from './header-fields.ts';

/** The neutral message: what every codec makes of a head, whatever the wire was. Filters and routing see nothing else. */
export type HttpVersion = 10 | 11 | 20;

/** Body length where none was declared ahead (chunked, close-delimited, HTTP/2 without content-length). */
export const UNKNOWN_LENGTH = -1;

export interface RequestHead {
  readonly version: HttpVersion;
  readonly method: string;
  readonly scheme: 'http' | 'https';
  /** Host or :authority as sent, validated. */
  readonly authority: string;
  /** Path and query in origin form, or `*`; for CONNECT the empty string. */
  readonly path: string;
  readonly fields: HeaderFields;
  /** 0: no body. UNKNOWN_LENGTH: framed by the codec. */
  readonly bodyLength: number;
  /** Lower-case protocol of an upgrade the client asked for on this connection, else ''. `h2c` is never reported. */
  readonly upgrade: string;
  readonly expectContinue: boolean;
}

export interface ResponseHead {
  readonly version: HttpVersion;
  readonly status: number;
  readonly fields: HeaderFields;
  /** As above; 0 also where the method or status forbids a body. */
  readonly bodyLength: number;
  /** True where the upstream's connection may carry another request after this response (HTTP/1). */
  readonly keepAlive: boolean;
  /** `Keep-Alive: timeout=` in milliseconds, or 0. */
  readonly keepAliveTimeoutMs: number;
}
