import type { ResponseHead } from '../head.ts';
import { type BodyFraming, BY_LENGTH, bodyLengthOf, CHUNKED, NO_BODY, UNTIL_CLOSE } from './body-reader.ts';
import { OPTION_CLOSE, OPTION_KEEP_ALIVE, readConnectionOptions, upgradeProtocol } from './connection-options.ts';
import type { Http1Fault } from './contract.ts';
import { FAULTS } from './faults.ts';
import type { FieldScanner } from './field-scanner.ts';
import { Http1Fields } from './field-table.ts';
import { faultOfTransferEncoding, readContentLength } from './framing-fields.ts';
import { KNOWN } from './known-field.ts';
import type { StatusLineScanner } from './status-line.ts';

const SWITCHING_PROTOCOLS = 101;
const NO_CONTENT = 204;
const NOT_MODIFIED = 304;
const KEEP_ALIVE_TIMEOUT = /(?:^|[,\s])timeout=([0-9]{1,7})(?:$|[,\s])/i;

/** What the request that a response answers decides about it. */
export interface ResponseExpectation {
  method: string;
  /** Protocol the request asked to switch to, else ''. */
  upgrade: string;
}

/** A response head as the codec received it; one per decoder, reused for each response. */
export class Http1ResponseHead implements ResponseHead {
  version: 10 | 11 = 11;
  status = 0;
  readonly fields = new Http1Fields();
  bodyLength = 0;
  keepAlive = true;
  keepAliveTimeoutMs = 0;
  framing: BodyFraming = NO_BODY;
  /** After this head the connection is no longer HTTP. */
  isTunnel = false;

  interpret(line: StatusLineScanner, scanner: FieldScanner, expected: ResponseExpectation): Http1Fault | undefined {
    this.version = line.version;
    this.status = line.status;
    this.isTunnel = expected.method === 'CONNECT' && this.status >= 200 && this.status < 300;
    if (this.status < 200 && this.version === 10) return FAULTS.informationalIn10;
    return this.#readConnection(scanner) ?? this.#readFraming(scanner, expected) ?? this.#readSwitch(expected);
  }

  get isInformational(): boolean {
    return this.status < 200 && this.status !== SWITCHING_PROTOCOLS;
  }

  #readConnection(scanner: FieldScanner): Http1Fault | undefined {
    this.keepAlive = this.version === 11;
    this.keepAliveTimeoutMs = 0;
    if ((scanner.seen & KNOWN.connection) !== 0) {
      const options = readConnectionOptions(this.fields, scanner.connectionIndex);
      if (typeof options !== 'number') return options;
      if ((options & OPTION_CLOSE) !== 0) {
        // A final response must follow, which other parsers then take for surplus bytes.
        if (this.isInformational) return FAULTS.closingInformational;
        this.keepAlive = false;
      } else if ((options & OPTION_KEEP_ALIVE) !== 0) this.keepAlive = true;
    }
    if ((scanner.seen & KNOWN.keepAlive) !== 0) {
      const seconds = KEEP_ALIVE_TIMEOUT.exec(this.fields.get('keep-alive') ?? '')?.[1];
      if (seconds !== undefined) this.keepAliveTimeoutMs = Number(seconds) * 1000;
    }
    return undefined;
  }

  #readFraming(scanner: FieldScanner, expected: ResponseExpectation): Http1Fault | undefined {
    const coded = (scanner.seen & KNOWN.transferEncoding) !== 0;
    let length = 0;
    this.framing = UNTIL_CLOSE;
    if (coded) {
      const fault = this.#faultOfCoding(scanner);
      if (fault !== undefined) return fault;
      this.framing = CHUNKED;
    } else if ((scanner.seen & KNOWN.contentLength) !== 0) {
      if ((scanner.repeated & KNOWN.contentLength) !== 0) return FAULTS.contentLengthRepeated;
      const declared = readContentLength(this.fields.valueAt(scanner.contentLengthIndex));
      if (typeof declared !== 'number') return declared;
      length = declared;
      this.framing = declared === 0 ? NO_BODY : BY_LENGTH;
    }
    if (this.#forbidsBody(expected.method)) this.framing = NO_BODY;
    if (this.framing === UNTIL_CLOSE) this.keepAlive = false;
    this.bodyLength = bodyLengthOf(this.framing, length);
    return undefined;
  }

  #faultOfCoding(scanner: FieldScanner): Http1Fault | undefined {
    if ((scanner.seen & KNOWN.contentLength) !== 0) return FAULTS.lengthAndCoding;
    if (this.version === 10) return FAULTS.codingIn10;
    if ((scanner.repeated & KNOWN.transferEncoding) !== 0) return FAULTS.codingRepeated;
    return faultOfTransferEncoding(this.fields.valueAt(scanner.transferEncodingIndex));
  }

  /** RFC 9112 §6.3 (1): whatever the fields say. */
  #forbidsBody(method: string): boolean {
    return (
      method === 'HEAD' ||
      this.status < 200 ||
      this.status === NO_CONTENT ||
      this.status === NOT_MODIFIED ||
      this.isTunnel
    );
  }

  #readSwitch(expected: ResponseExpectation): Http1Fault | undefined {
    if (this.status !== SWITCHING_PROTOCOLS) return undefined;
    if (expected.upgrade === '' || upgradeProtocol(this.fields) !== expected.upgrade) return FAULTS.unaskedSwitch;
    this.isTunnel = true;
    return undefined;
  }
}
