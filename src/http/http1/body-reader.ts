import { UNKNOWN_LENGTH } from '../head.ts';
import type { HeaderFields } from '../header-fields.ts';
import { ChunkScanner } from './chunk-scanner.ts';
import type { Http1Fault, Http1Limits } from './contract.ts';
import { FAULTS } from './faults.ts';
import { FieldScanner } from './field-scanner.ts';
import { Http1Fields } from './field-table.ts';
import { isForbiddenTrailer } from './protected-names.ts';
import { SectionReader } from './section-reader.ts';

/** How the end of a body is known (RFC 9112 §6.3). */
export type BodyFraming =
  | { readonly kind: 'none' }
  | { readonly kind: 'length' }
  | { readonly kind: 'chunked' }
  | { readonly kind: 'until-close' };

export const NO_BODY: BodyFraming = { kind: 'none' };
export const BY_LENGTH: BodyFraming = { kind: 'length' };
export const CHUNKED: BodyFraming = { kind: 'chunked' };
export const UNTIL_CLOSE: BodyFraming = { kind: 'until-close' };

type State = 'ended' | 'length' | 'chunks' | 'trailers' | 'until-close';

/** What of the trailer machinery a connection needs is made at its first chunked body. */
class ChunkedReader {
  readonly chunks: ChunkScanner;
  readonly trailers: FieldScanner;
  readonly section: SectionReader;

  constructor(limits: Http1Limits) {
    this.chunks = new ChunkScanner(limits);
    this.trailers = new FieldScanner(new Http1Fields(), limits);
    this.section = new SectionReader(undefined, this.trailers, limits.maxTrailerBytes, FAULTS.trailerTooLarge);
  }
}

/**
 * Finds the body of one message in the bytes given to it. Each `step` ends at body bytes (`dataStart` < `dataEnd`), at the
 * end of the body (`isEnded`), at a fault, or where the input does.
 */
export class BodyReader {
  fault: Http1Fault | undefined = undefined;
  dataStart = 0;
  dataEnd = 0;
  readonly #limits: Http1Limits;
  #state: State = 'ended';
  #remaining = 0;
  #chunked: ChunkedReader | undefined = undefined;

  constructor(limits: Http1Limits) {
    this.#limits = limits;
  }

  get isEnded(): boolean {
    return this.#state === 'ended';
  }

  /** Only a body that ends with its connection is complete when the connection ends. */
  get endsAtClose(): boolean {
    return this.#state === 'until-close';
  }

  /** Fields of the trailer section without those that may not stand there; undefined where none are left. */
  get trailers(): HeaderFields | undefined {
    const fields = this.#chunked?.trailers.fields;
    return fields === undefined || fields.count === 0 ? undefined : fields;
  }

  begin(framing: BodyFraming, length: number): void {
    this.fault = undefined;
    this.#remaining = length;
    this.#chunked?.trailers.fields.clear();
    if (framing.kind === 'none') this.#state = 'ended';
    else if (framing.kind === 'until-close') this.#state = 'until-close';
    else if (framing.kind === 'length') this.#state = length === 0 ? 'ended' : 'length';
    else {
      this.#chunked ??= new ChunkedReader(this.#limits);
      this.#chunked.chunks.begin();
      this.#chunked.section.begin();
      this.#state = 'chunks';
    }
  }

  step(buffer: Buffer, start: number, end: number): number {
    this.dataStart = this.dataEnd = start;
    if (this.#state === 'length') return this.#stepLength(start, end);
    if (this.#state === 'until-close') return this.#take(start, end);
    if (this.#chunked === undefined || this.#state === 'ended') return start;
    if (this.#state === 'chunks') return this.#stepChunks(this.#chunked.chunks, buffer, start, end);
    return this.#stepTrailers(this.#chunked, buffer, start, end);
  }

  #stepLength(start: number, end: number): number {
    const taken = Math.min(this.#remaining, end - start);
    this.#remaining -= taken;
    if (this.#remaining === 0) this.#state = 'ended';
    return this.#take(start, start + taken);
  }

  #take(start: number, end: number): number {
    this.dataStart = start;
    this.dataEnd = end;
    return end;
  }

  #stepChunks(chunks: ChunkScanner, buffer: Buffer, start: number, end: number): number {
    const stopped = chunks.step(buffer, start, end);
    this.fault = chunks.fault;
    this.dataStart = chunks.dataStart;
    this.dataEnd = chunks.dataEnd;
    if (chunks.isLast) this.#state = 'trailers';
    return stopped;
  }

  #stepTrailers(chunked: ChunkedReader, buffer: Buffer, start: number, end: number): number {
    const { section, trailers } = chunked;
    const stopped = section.read(buffer, start, end);
    this.fault = section.fault;
    if (section.isDone) {
      if (trailers.fields.count > 0) trailers.fields.dropWhere(isForbiddenTrailer);
      this.#state = 'ended';
    }
    return stopped;
  }
}

/** Body length as the neutral head shows it. */
export function bodyLengthOf(framing: BodyFraming, length: number): number {
  if (framing.kind === 'none') return 0;
  return framing.kind === 'length' ? length : UNKNOWN_LENGTH;
}
