import type { RequestHead, ResponseHead } from '../head.ts';
import type { Http2Fields } from './http2-fields.ts';

/** A request head as the codec received it. Never changes, so that it may be kept, and shared by equal requests. */
export class Http2RequestHead implements RequestHead {
  readonly version = 20;
  readonly method: string;
  readonly scheme: 'http' | 'https';
  readonly authority: string;
  readonly path: string;
  readonly fields: Http2Fields;
  readonly bodyLength: number;
  /** Of an extended CONNECT (RFC 8441), which is told as what it means: a GET that asks for an upgrade. */
  readonly upgrade: string;
  readonly expectContinue: boolean;

  constructor(line: RequestParts, fields: Http2Fields, bodyLength: number, expectContinue: boolean) {
    this.method = line.method;
    this.scheme = line.scheme;
    this.authority = line.authority;
    this.path = line.path;
    this.upgrade = line.upgrade;
    this.fields = fields;
    this.bodyLength = bodyLength;
    this.expectContinue = expectContinue;
  }
}

/** What the pseudo-fields of a request say. */
export interface RequestParts {
  readonly method: string;
  readonly scheme: 'http' | 'https';
  readonly authority: string;
  readonly path: string;
  readonly upgrade: string;
}

/** A response head as the codec received it. Never changes. */
export class Http2ResponseHead implements ResponseHead {
  readonly version = 20;
  readonly status: number;
  readonly fields: Http2Fields;
  readonly bodyLength: number;
  readonly keepAlive = true;
  readonly keepAliveTimeoutMs = 0;

  constructor(status: number, fields: Http2Fields, bodyLength: number) {
    this.status = status;
    this.fields = fields;
    this.bodyLength = bodyLength;
  }
}
