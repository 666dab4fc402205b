import type { EventTurn } from '../../../transport-socket/transport-socket.ts';
import type { Attempt } from './attempt.ts';
import { endParked, parkAttempt, resumeParked } from './attempt-facts.ts';
import type { RoutedStream } from './routed-stream.ts';
import type { UpstreamCluster } from './upstreams.ts';

/**
 * Attempts of one request that go on beside the one its record describes. Each holds a place of its own among the cluster's
 * requests, and comes to its own span.
 */
export class ParkedAttempts {
  readonly #stream: RoutedStream;
  readonly #turn: EventTurn;
  #attempts: Attempt[] = [];
  #upstream: UpstreamCluster | undefined = undefined;

  constructor(stream: RoutedStream, turn: EventTurn) {
    this.#stream = stream;
    this.#turn = turn;
  }

  get isEmpty(): boolean {
    return this.#attempts.length === 0;
  }

  /** Steps aside for another attempt, which has taken a place of the cluster's requests. */
  park(attempt: Attempt, upstream: UpstreamCluster): void {
    attempt.facts = parkAttempt(this.#stream, this.#turn.nowMs);
    this.#upstream = upstream;
    upstream.counters.rqActive.add(1);
    this.#attempts.push(attempt);
  }

  /** The attempt that the record describes is over: the record is this one's now, or the youngest's. */
  resume(attempt = this.#attempts.at(-1)): Attempt {
    if (attempt?.facts === undefined) throw new Error('no attempt is parked');
    resumeParked(this.#stream, attempt.facts, this.#turn.nowMs);
    this.#take(attempt);
    return attempt;
  }

  /** This one has ended by itself. */
  end(attempt: Attempt): void {
    if (attempt.facts !== undefined) endParked(this.#stream, attempt.facts, this.#turn.nowMs);
    this.#take(attempt);
  }

  /** Gives all of them up. */
  drop(status: number): void {
    while (this.#attempts.length > 0) {
      const [attempt] = this.#attempts;
      if (attempt === undefined) return;
      attempt.drop(status);
      this.end(attempt);
    }
  }

  pauseReading(): void {
    for (const { connection } of this.#attempts) connection?.pauseReading();
  }

  resumeReading(): void {
    for (const { connection } of this.#attempts) connection?.resumeReading();
  }

  #take(attempt: Attempt): void {
    attempt.facts = undefined;
    this.#attempts = this.#attempts.filter((other) => other !== attempt);
    this.#upstream?.cluster.breakers.release('requests');
    this.#upstream?.counters.rqActive.add(-1);
  }
}
