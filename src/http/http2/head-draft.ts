import { UNKNOWN_LENGTH } from '../head.ts';
import { readContentLength } from '../http1/framing-fields.ts';
import { isForbiddenTrailer } from '../http1/protected-names.ts';
import { type Http2Fault, STREAM_FAULTS } from './faults.ts';
import { ENTRY_OVERHEAD_BYTES } from './hpack/decoder-table.ts';
import {
  CONNECTION_SPECIFIC,
  CONTENT_LENGTH,
  COOKIE,
  EXPECT,
  HOST,
  INVALID_NAME,
  INVALID_VALUE,
  NAME_MASK,
  PATH,
  PROTOCOL,
  REGULAR,
  STATUS,
  TE,
  UNDERSCORE,
  UNKNOWN_PSEUDO,
} from './hpack/field-kind.ts';
import type { HeaderField } from './hpack/header-field.ts';
import type { FieldReceiver } from './hpack/hpack-decoder.ts';
import { Http2Fields } from './http2-fields.ts';
import type { Http2Limits } from './limits.ts';
import { PseudoFields } from './pseudo-fields.ts';

/** What a block is meant to be. A block that nobody wants is decoded all the same, for the table's sake. */
export type BlockPurpose = 'request' | 'response' | 'trailers' | 'unwanted';

const ODD = UNDERSCORE | INVALID_NAME | INVALID_VALUE;

/**
 * Collects the fields of one block and holds them against RFC 9113 §8.2 as they come. The first fault is kept, and from
 * there on nothing else is: a block that unfolds to more than the limits costs no more than they allow.
 */
export class HeadDraft implements FieldReceiver {
  fault: Http2Fault | undefined = undefined;
  fields = new Http2Fields();
  readonly pseudo = new PseudoFields();
  contentLength = UNKNOWN_LENGTH;
  /** Value of `host`, or ''. */
  host = '';
  expectContinue = false;
  readonly #limits: Http2Limits;
  #purpose: BlockPurpose = 'unwanted';
  #count = 0;
  #bytes = 0;
  #seenRegular = false;
  #cookieIndex = -1;

  constructor(limits: Http2Limits) {
    this.#limits = limits;
  }

  begin(purpose: BlockPurpose): void {
    this.#purpose = purpose;
    this.fault = undefined;
    if (purpose === 'unwanted') return;
    this.fields = new Http2Fields();
    this.pseudo.clear();
    this.contentLength = UNKNOWN_LENGTH;
    this.host = '';
    this.expectContinue = false;
    this.#count = 0;
    this.#bytes = 0;
    this.#seenRegular = false;
    this.#cookieIndex = -1;
  }

  onField(field: HeaderField): void {
    if (this.fault !== undefined || this.#purpose === 'unwanted') return;
    this.fault = this.#faultOfSize(field) ?? this.#take(field);
  }

  /** Counted before anything is dropped or joined (CVE-2026-73550). */
  #faultOfSize({ name, value }: HeaderField): Http2Fault | undefined {
    this.#count += 1;
    this.#bytes += name.length + value.length + ENTRY_OVERHEAD_BYTES;
    if (this.#count > this.#limits.maxFields) return STREAM_FAULTS.tooManyFields;
    if (this.#purpose === 'trailers') {
      return this.#bytes > this.#limits.maxTrailerBytes ? STREAM_FAULTS.trailerTooLarge : undefined;
    }
    return this.#bytes > this.#limits.maxHeadBytes ? STREAM_FAULTS.headTooLarge : undefined;
  }

  #take(field: HeaderField): Http2Fault | undefined {
    const { kind } = field;
    if ((kind & ODD) !== 0) {
      if ((kind & INVALID_NAME) !== 0) return STREAM_FAULTS.fieldName;
      if ((kind & INVALID_VALUE) !== 0) return STREAM_FAULTS.fieldValue;
      if (this.#limits.headersWithUnderscores === 'reject') return STREAM_FAULTS.underscore;
      if (this.#limits.headersWithUnderscores === 'drop') return undefined;
    }
    const which = kind & NAME_MASK;
    if (which === REGULAR) this.#keep(field);
    else if (which <= UNKNOWN_PSEUDO) return this.#takePseudo(field, which);
    else return this.#takeKnown(field, which);
    return undefined;
  }

  #keep(field: HeaderField): void {
    this.#seenRegular = true;
    if (this.#purpose === 'trailers' && isForbiddenTrailer(field.name)) return;
    this.fields.push(field);
  }

  #takePseudo({ value }: HeaderField, which: number): Http2Fault | undefined {
    if (this.#purpose === 'trailers') return STREAM_FAULTS.pseudoInTrailers;
    if (this.#seenRegular) return STREAM_FAULTS.pseudoLate;
    const isForThis = (which === STATUS) === (this.#purpose === 'response');
    if (!isForThis || which === UNKNOWN_PSEUDO) return STREAM_FAULTS.pseudoUnknown;
    if (which === PROTOCOL && !this.#limits.allowExtendedConnect) return STREAM_FAULTS.pseudoUnknown;
    if (which === PATH && value.length > this.#limits.maxTargetBytes) return STREAM_FAULTS.targetTooLong;
    return this.pseudo.set(which, value) ? undefined : STREAM_FAULTS.pseudoRepeated;
  }

  #takeKnown(field: HeaderField, which: number): Http2Fault | undefined {
    const { value } = field;
    if (which === CONNECTION_SPECIFIC) return STREAM_FAULTS.connectionField;
    if (which === TE && value !== 'trailers') return STREAM_FAULTS.te;
    if (this.#purpose !== 'trailers') {
      if (which === CONTENT_LENGTH) return this.#takeLength(field);
      if (which === HOST && this.#purpose === 'request') return this.#takeHost(value);
      if (which === EXPECT && this.#purpose === 'request') {
        if (value.toLowerCase() !== '100-continue') return STREAM_FAULTS.expectation;
        this.expectContinue = true;
      }
      if (which === COOKIE) return this.#takeCookie(field);
    }
    this.#keep(field);
    return undefined;
  }

  #takeLength(field: HeaderField): Http2Fault | undefined {
    if (this.contentLength !== UNKNOWN_LENGTH) return STREAM_FAULTS.contentLengthRepeated;
    const length = readContentLength(field.value);
    if (typeof length !== 'number') return STREAM_FAULTS.contentLength;
    this.contentLength = length;
    this.#keep(field);
    return undefined;
  }

  #takeHost(value: string): Http2Fault | undefined {
    this.#seenRegular = true;
    if (this.host !== '') return STREAM_FAULTS.hostRepeated;
    if (value === '') return STREAM_FAULTS.authority;
    this.host = value;
    return undefined;
  }

  #takeCookie(field: HeaderField): Http2Fault | undefined {
    if (this.#cookieIndex >= 0) {
      this.fields.appendTo(this.#cookieIndex, '; ', field.value);
      return undefined;
    }
    this.#cookieIndex = this.fields.count;
    this.#keep(field);
    return undefined;
  }
}
