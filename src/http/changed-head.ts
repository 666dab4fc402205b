import type { HttpVersion, RequestHead, ResponseHead } from './head.ts';
import type { HeaderFields } from './header-fields.ts';

/** What may be said anew of a request head; the rest, its fields included, stays. */
export type RequestHeadChanges = Partial<Pick<RequestHead, 'method' | 'path' | 'authority' | 'bodyLength'>>;

/** A request head seen with other parts. */
export class ChangedRequestHead implements RequestHead {
  readonly version: HttpVersion;
  readonly method: string;
  readonly scheme: 'http' | 'https';
  readonly authority: string;
  readonly path: string;
  readonly fields: HeaderFields;
  readonly bodyLength: number;
  readonly upgrade: string;
  readonly expectContinue: boolean;

  constructor(head: RequestHead, changes: RequestHeadChanges) {
    this.version = head.version;
    this.method = changes.method ?? head.method;
    this.scheme = head.scheme;
    this.authority = changes.authority ?? head.authority;
    this.path = changes.path ?? head.path;
    this.fields = head.fields;
    this.bodyLength = changes.bodyLength ?? head.bodyLength;
    this.upgrade = head.upgrade;
    this.expectContinue = head.expectContinue;
  }
}

/** A response head seen with another status or length. */
export class ChangedResponseHead implements ResponseHead {
  readonly version: HttpVersion;
  readonly status: number;
  readonly fields: HeaderFields;
  readonly bodyLength: number;
  readonly keepAlive: boolean;
  readonly keepAliveTimeoutMs: number;

  constructor(head: ResponseHead, changes: Partial<Pick<ResponseHead, 'status' | 'bodyLength' | 'fields'>>) {
    this.version = head.version;
    this.status = changes.status ?? head.status;
    this.fields = changes.fields ?? head.fields;
    this.bodyLength = changes.bodyLength ?? head.bodyLength;
    this.keepAlive = head.keepAlive;
    this.keepAliveTimeoutMs = head.keepAliveTimeoutMs;
  }
}
