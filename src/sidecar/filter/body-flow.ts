import type { HeaderFields } from '../../http/header-fields.ts';
import { BodyEnding, BodyPiece } from './body-piece.ts';
import type { CompiledFilter, FilterStream } from './filter-stream.ts';

/** No filter holds the message. */
export const OPEN = Number.MAX_SAFE_INTEGER;

/** A filter's hooks for one direction, and where in the chain it stands as that direction runs. */
export interface BodyStep {
  readonly position: number;
  readonly onBody: ((stream: FilterStream, piece: BodyPiece) => void) | undefined;
  readonly onEnd: ((stream: FilterStream, ending: BodyEnding) => void) | undefined;
}

const NO_STEPS: readonly BodyStep[] = [];

/** Hooks for the request's body, in the chain's order. */
export function requestBodySteps(filters: readonly CompiledFilter[]): readonly BodyStep[] {
  return filters.flatMap((filter, position) => {
    const onBody = filter.onRequestBody?.bind(filter);
    const onEnd = filter.onRequestEnd?.bind(filter);
    return onBody === undefined && onEnd === undefined ? [] : { position, onBody, onEnd };
  });
}

/** Hooks for the response's body; `filters` is the chain from its end. */
export function responseBodySteps(filters: readonly CompiledFilter[]): readonly BodyStep[] {
  return filters.flatMap((filter, position) => {
    const onBody = filter.onResponseBody?.bind(filter);
    const onEnd = filter.onResponseEnd?.bind(filter);
    return onBody === undefined && onEnd === undefined ? [] : { position, onBody, onEnd };
  });
}

/** Where a body goes after the last filter. */
export interface BodySink {
  /** Counts the exchanges of a stream object that is reused; 0 while there is none. Where it has moved on, nothing goes on. */
  exchange(): number;
  passBody(buffer: Buffer, start: number, end: number): void;
  passEnd(trailers: HeaderFields | undefined): void;
  /** Bytes wait behind the filter that holds the message. */
  held(bytes: number): void;
}

/**
 * One direction of one stream's body on its way through the filters' hooks. Where a filter holds the message, bytes have
 * passed the hooks up to that filter's own and wait there, in order, with the end behind them.
 */
export class BodyFlow {
  readonly #stream: FilterStream;
  readonly #sink: BodySink;
  readonly #piece = new BodyPiece();
  readonly #ending = new BodyEnding();
  #steps: readonly BodyStep[] = NO_STEPS;
  #gate = OPEN;
  /** A gate moved by a hook, which takes effect when the hooks have run. */
  #nextGate = OPEN;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #isEnded = false;
  #isRunning = false;
  #exchange = 0;

  constructor(stream: FilterStream, sink: BodySink) {
    this.#stream = stream;
    this.#sink = sink;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  begin(steps: readonly BodyStep[], gate: number): void {
    this.#exchange = this.#sink.exchange();
    this.#isRunning = false;
    this.#steps = steps;
    this.#gate = gate;
    this.#nextGate = gate;
    this.#held = [];
    this.#heldBytes = 0;
    this.#isEnded = false;
    this.#ending.trailers = undefined;
    this.#ending.takeAdded();
  }

  /** The exchange is over: what was held goes. */
  clear(): void {
    this.begin(NO_STEPS, OPEN);
  }

  body(buffer: Buffer, start: number, end: number): void {
    this.#piece.set(buffer, start, end);
    this.#isRunning = true;
    if (!this.#passPiece(-1, this.#gate)) return;
    this.#isRunning = false;
    this.#followGate();
  }

  /** `trailers` must outlive the call where the message may be held. */
  end(trailers: HeaderFields | undefined): void {
    this.#ending.trailers = trailers;
    this.#isRunning = true;
    if (!this.#passEnding(-1, this.#gate)) return;
    this.#isRunning = false;
    this.#followGate();
  }

  /** The filter that held the message lets go of it; the one at `gate` holds it now, if any. */
  moveGate(gate: number): void {
    this.#nextGate = gate;
    if (!this.#isRunning) this.#followGate();
  }

  /** A hook may have ended the exchange, and the next one may have begun already. */
  #isOver(exchange: number): boolean {
    return this.#sink.exchange() !== exchange;
  }

  #followGate(): void {
    const exchange = this.#exchange;
    while (this.#nextGate !== this.#gate && !this.#isOver(exchange)) {
      const from = this.#gate;
      const held = this.#held;
      this.#gate = this.#nextGate;
      this.#held = [];
      this.#heldBytes = 0;
      this.#isRunning = true;
      for (const bytes of held) {
        this.#piece.replace(bytes);
        if (!this.#passPiece(from, this.#gate)) return;
      }
      if (this.#isEnded && !this.#passEnding(from, this.#gate)) return;
      this.#isRunning = false;
    }
  }

  /** Runs the hooks after `from` up to and including `to`. False where the exchange is over. */
  #passPiece(from: number, to: number): boolean {
    const exchange = this.#exchange;
    const piece = this.#piece;
    for (const { position, onBody } of this.#steps) {
      if (position <= from || position > to || piece.length === 0) continue;
      onBody?.(this.#stream, piece);
      if (this.#isOver(exchange)) return false;
    }
    this.#emit();
    return !this.#isOver(exchange);
  }

  #passEnding(from: number, to: number): boolean {
    const exchange = this.#exchange;
    const piece = this.#piece;
    piece.drop();
    for (const { position, onBody, onEnd } of this.#steps) {
      if (position <= from || position > to) continue;
      if (piece.length > 0) onBody?.(this.#stream, piece);
      onEnd?.(this.#stream, this.#ending);
      if (this.#isOver(exchange)) return false;
      const added = this.#ending.takeAdded();
      if (added.length > 0) piece.replace(piece.length === 0 ? added : Buffer.concat([piece.view(), added]));
    }
    this.#emit();
    if (this.#isOver(exchange)) return false;
    if (this.#gate === OPEN) this.#sink.passEnd(this.#ending.trailers);
    else this.#isEnded = true;
    return !this.#isOver(exchange);
  }

  #emit(): void {
    const { buffer, start, end, length } = this.#piece;
    if (length === 0) return;
    if (this.#gate === OPEN) {
      this.#sink.passBody(buffer, start, end);
      return;
    }
    this.#held.push(Buffer.from(buffer.subarray(start, end)));
    this.#heldBytes += length;
    this.#sink.held(this.#heldBytes);
  }
}
