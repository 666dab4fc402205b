import type { ControlServer } from '../../resource/bootstrap.ts';
import type { ClientIdentity, DiscoveryResponse } from '../discovery-codec.ts';
import { AdsStream } from './ads-stream.ts';
import { DeltaExchange } from './delta-exchange.ts';
import type { Exchange } from './exchange.ts';
import { NackPace } from './nack-pace.ts';
import { SotwExchange } from './sotw-exchange.ts';
import type { TypeLedger } from './type-ledger.ts';

/** What an attempt needs of its client. */
export interface AttemptContext {
  readonly ledgers: ReadonlyMap<string, TypeLedger<unknown>>;
  readonly identity: ClientIdentity;
  readonly isDelta: boolean;
  readonly metadata: Readonly<Record<string, string>>;
  /** Undefined waits for ever: there is nobody else to ask. */
  readonly firstResponseTimeoutMs: number | undefined;
}

/** What an attempt tells. `onEnd` comes at most once, and nothing after it. */
export interface AttemptEvents {
  /** The answer to give: one line per faulty resource. */
  onResponse(attempt: StreamAttempt, response: DiscoveryResponse, bytes: number): readonly string[];
  onEnd(attempt: StreamAttempt, reason: string): void;
}

/** One try at one server: a stream, the protocol on it, and the patience for its first response. */
export class StreamAttempt {
  /** Position in the list of servers. */
  readonly index: number;
  readonly server: ControlServer;
  /** Whether the server has said anything yet: until then it may be one that accepts and is mute. */
  hasResponded = false;
  readonly #stream: AdsStream;
  readonly #exchange: Exchange;
  readonly #events: AttemptEvents;
  readonly #patience: NodeJS.Timeout | undefined;
  readonly #nackPace = new NackPace();
  /** By type: NACKs that are not due yet. */
  readonly #heldAnswers = new Map<string, { readonly timer: NodeJS.Timeout; readonly send: () => void }>();
  #isOver = false;

  constructor(index: number, server: ControlServer, context: AttemptContext, events: AttemptEvents) {
    this.index = index;
    this.server = server;
    this.#events = events;
    const variant = context.isDelta ? 'delta' : 'sotw';
    this.#stream = new AdsStream(
      { server, variant, metadata: context.metadata },
      { onResponse: (bytes) => this.#onResponse(bytes), onEnd: (reason) => this.#end(reason) },
    );
    const send = (bytes: Buffer): void => this.#stream.send(bytes);
    this.#exchange = context.isDelta
      ? new DeltaExchange(context.ledgers, context.identity, send)
      : new SotwExchange(context.ledgers, context.identity, send);
    const { firstResponseTimeoutMs: limitMs } = context;
    const giveUp = (): void => this.#end(`${server.host}:${server.port}: no response within ${limitMs} ms`);
    this.#patience = limitMs === undefined ? undefined : setTimeout(giveUp, limitMs);
    this.#exchange.start();
  }

  onWantedChanged(typeUrl: string): void {
    this.#exchange.onWantedChanged(typeUrl);
  }

  askAgain(typeUrl: string, name: string): void {
    this.#exchange.askAgain(typeUrl, name);
  }

  scopeOf(typeUrl: string): 'complete' | 'partial' {
    return this.#exchange.scopeOf(typeUrl);
  }

  /** Ends the stream for a new one, which begins by saying what is held. */
  startOver(reason: string): void {
    this.#end(`${this.server.host}:${this.server.port}: ${reason}`);
  }

  close(): void {
    this.#isOver = true;
    clearTimeout(this.#patience);
    for (const { timer } of this.#heldAnswers.values()) clearTimeout(timer);
    this.#stream.close();
  }

  #onResponse(bytes: Buffer): void {
    if (this.#isOver) return;
    let response: DiscoveryResponse;
    try {
      response = this.#exchange.decode(bytes);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#end(`${this.server.host}:${this.server.port}: sent what is no discovery response: ${reason}`);
      return;
    }
    clearTimeout(this.#patience);
    const faults = this.#events.onResponse(this, response, bytes.length);
    if (!this.#isOver) this.#answer(response, faults);
  }

  /** A held answer goes out before the next one of its type: servers keep count of what they have not heard of. */
  #answer(response: DiscoveryResponse, faults: readonly string[]): void {
    const { typeUrl } = response;
    this.#heldAnswers.get(typeUrl)?.send();
    const waitMs = this.#nackPace.waitMs(typeUrl, faults);
    if (waitMs === 0) this.#exchange.answer(response, faults);
    else this.#hold(typeUrl, waitMs, () => this.#exchange.answer(response, faults));
  }

  #hold(typeUrl: string, waitMs: number, answer: () => void): void {
    const send = (): void => {
      clearTimeout(timer);
      this.#heldAnswers.delete(typeUrl);
      answer();
    };
    const timer = setTimeout(send, waitMs);
    this.#heldAnswers.set(typeUrl, { timer, send });
  }

  #end(reason: string): void {
    if (this.#isOver) return;
    this.close();
    this.#events.onEnd(this, reason);
  }
}
