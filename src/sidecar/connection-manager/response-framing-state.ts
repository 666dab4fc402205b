import { type HttpVersion, type RequestHead, type ResponseHead, UNKNOWN_LENGTH } from '../../http/head.ts';
import type { ResponseFraming } from '../../http/http1/http1.ts';

/** How the response under way is framed towards an HTTP/1 downstream. One per connection, reused. */
export class ResponseFramingState implements ResponseFraming {
  status = 0;
  version: HttpVersion = 11;
  keepAlive = true;
  bodyLength = 0;
  requestMethod = '';
  upgrade = '';
  isChunked = false;
  /** The body lasts until the connection closes. */
  isUntilClose = false;
  trailers = '';

  begin(request: RequestHead, response: ResponseHead, keepAlive: boolean): this {
    const hasBody = request.method !== 'HEAD' && response.bodyLength !== 0 && response.status !== 101;
    const isUnknown = hasBody && response.bodyLength === UNKNOWN_LENGTH;
    this.status = response.status;
    this.version = request.version;
    this.bodyLength = response.bodyLength;
    this.requestMethod = request.method;
    this.upgrade = request.upgrade;
    this.isChunked = isUnknown && request.version === 11;
    this.isUntilClose = isUnknown && request.version === 10;
    this.keepAlive = keepAlive && !this.isUntilClose;
    this.trailers = '';
    return this;
  }
}
