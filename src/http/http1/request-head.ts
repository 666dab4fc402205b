import type { RequestHead } from '../head.ts';
import { isAuthority } from './authority.ts';
import { type BodyFraming, BY_LENGTH, CHUNKED, NO_BODY } from './body-reader.ts';
import { SLASH } from './byte-class.ts';
import {
  OPTION_CLOSE,
  OPTION_KEEP_ALIVE,
  OPTION_UPGRADE,
  readConnectionOptions,
  upgradeProtocol,
} from './connection-options.ts';
import type { Http1Fault, Http1Limits } from './contract.ts';
import { FAULTS } from './faults.ts';
import type { FieldScanner } from './field-scanner.ts';
import { Http1Fields } from './field-table.ts';
import { faultOfTransferEncoding, readContentLength } from './framing-fields.ts';
import { KNOWN } from './known-field.ts';
import type { RequestLineScanner } from './request-line.ts';
import { readTarget, type TargetParts } from './request-target.ts';

const CONTINUE_EXPECTATION = '100-continue';
const COMMON_METHODS = ['GET', 'POST', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'] as const;

const AFTER_TARGET = ' HTTP/1.1\r\n';
/** Lent to `readTarget` for the length of one call. */
const TARGET_PARTS: TargetParts = { authority: '', path: '' };

/** A request head as the codec received it; one per decoder, reused for each request. */
export class Http1RequestHead implements RequestHead {
  version: 10 | 11 = 11;
  method = '';
  scheme: 'http' | 'https';
  authority = '';
  path = '';
  readonly fields = new Http1Fields();
  bodyLength = 0;
  upgrade = '';
  expectContinue = false;
  /** The client lets its connection carry another request after this one. */
  keepAlive = true;
  /** Where the raw text's request line ends, if it is as we would write it; else 0. */
  copyableLineEnd = 0;
  /** Index of Host where its line may be copied as it is, else −1. */
  copyableHostIndex = -1;
  framing: BodyFraming = NO_BODY;

  constructor(scheme: 'http' | 'https') {
    this.scheme = scheme;
  }

  /** Takes the meaning of a scanned head; answers why it must be refused. */
  interpret(line: RequestLineScanner, scanner: FieldScanner, limits: Http1Limits): Http1Fault | undefined {
    this.version = line.version;
    this.method = methodOf(this.fields.raw, line.methodEnd);
    return (
      this.#readRouting(line, scanner, limits) ??
      this.#readFraming(scanner) ??
      this.#readConnection(scanner) ??
      this.#readExpectation(scanner)
    );
  }

  #readRouting(line: RequestLineScanner, scanner: FieldScanner, limits: Http1Limits): Http1Fault | undefined {
    const target = this.fields.raw.slice(line.methodEnd + 1, line.targetEnd);
    // The form nearly all have: its path is the target, and it names no authority.
    const isOriginForm = target.charCodeAt(0) === SLASH && this.method !== 'CONNECT';
    if (!isOriginForm) {
      const fault = readTarget(this.method, target, limits.allowConnect, TARGET_PARTS);
      if (fault !== undefined) return fault;
    }
    const named = isOriginForm ? '' : TARGET_PARTS.authority;
    this.path = isOriginForm ? target : TARGET_PARTS.path;
    this.copyableLineEnd = this.version === 11 && this.path === target ? line.targetEnd + AFTER_TARGET.length : 0;
    this.copyableHostIndex = -1;
    if ((scanner.seen & KNOWN.host) === 0) {
      if (this.version === 11) return FAULTS.hostMissing;
      this.authority = named;
      return undefined;
    }
    if ((scanner.repeated & KNOWN.host) !== 0) return FAULTS.hostRepeated;
    const { fields } = this;
    const hostStart = fields.valueStart(scanner.hostIndex);
    const hostEnd = fields.valueEnd(scanner.hostIndex);
    if (!isAuthority(fields.raw, hostStart, hostEnd)) return FAULTS.host;
    if (named === '') {
      this.authority = fields.raw.slice(hostStart, hostEnd);
      this.copyableHostIndex = scanner.hostIndex;
    } else this.authority = named;
    return undefined;
  }

  #readFraming(scanner: FieldScanner): Http1Fault | undefined {
    this.framing = NO_BODY;
    this.bodyLength = 0;
    if ((scanner.seen & (KNOWN.contentLength | KNOWN.transferEncoding)) === 0) return undefined;
    if (this.method === 'CONNECT') return FAULTS.connectBody;
    if ((scanner.seen & KNOWN.transferEncoding) !== 0) return this.#readTransferEncoding(scanner);
    if ((scanner.repeated & KNOWN.contentLength) !== 0) return FAULTS.contentLengthRepeated;
    const length = readContentLength(this.fields.valueAt(scanner.contentLengthIndex));
    if (typeof length !== 'number') return length;
    if (length > 0) this.framing = BY_LENGTH;
    this.bodyLength = length;
    return undefined;
  }

  #readTransferEncoding(scanner: FieldScanner): Http1Fault | undefined {
    if ((scanner.seen & KNOWN.contentLength) !== 0) return FAULTS.lengthAndCoding;
    if (this.version === 10) return FAULTS.codingIn10;
    if ((scanner.repeated & KNOWN.transferEncoding) !== 0) return FAULTS.codingRepeated;
    this.framing = CHUNKED;
    this.bodyLength = -1;
    return faultOfTransferEncoding(this.fields.valueAt(scanner.transferEncodingIndex));
  }

  #readConnection(scanner: FieldScanner): Http1Fault | undefined {
    this.upgrade = '';
    this.keepAlive = this.version === 11;
    if ((scanner.seen & KNOWN.connection) === 0) return undefined;
    const options = readConnectionOptions(this.fields, scanner.connectionIndex);
    if (typeof options !== 'number') return options;
    if ((options & OPTION_CLOSE) !== 0) this.keepAlive = false;
    else if ((options & OPTION_KEEP_ALIVE) !== 0) this.keepAlive = true;
    // Only a bodyless GET may switch: what follows such a request is the tunnel's (CVE-2026-2833, CVE-2026-73548).
    const mayUpgrade = this.version === 11 && this.method === 'GET' && this.framing === NO_BODY;
    if (mayUpgrade && (options & OPTION_UPGRADE) !== 0) this.upgrade = upgradeProtocol(this.fields);
    return undefined;
  }

  #readExpectation(scanner: FieldScanner): Http1Fault | undefined {
    this.expectContinue = false;
    if ((scanner.seen & KNOWN.expect) === 0 || this.version === 10) return undefined;
    const value = this.fields.get('expect') ?? '';
    if ((scanner.repeated & KNOWN.expect) !== 0 || value.toLowerCase() !== CONTINUE_EXPECTATION)
      return FAULTS.expectation;
    this.expectContinue = this.framing !== NO_BODY;
    return undefined;
  }
}

/** The interned constant where there is one, so that comparing methods is comparing pointers. */
function methodOf(raw: string, end: number): string {
  for (const method of COMMON_METHODS) {
    if (method.length === end && beginsWith(raw, method)) return method;
  }
  return raw.slice(0, end);
}

function beginsWith(raw: string, text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    if (raw.charCodeAt(index) !== text.charCodeAt(index)) return false;
  }
  return true;
}
