import {
  type ByteStream,
  Deadline,
  type DeadlineOwner,
  type EventTurn,
} from '../../transport-socket/transport-socket.ts';
import { peerOf } from '../connection-manager/connection-manager.ts';
import { Admission, type NetworkConnection, type NetworkFilterChain } from '../filter/filter.ts';

/** Refused connections that may be kept waiting at a time; who comes on top is closed at once. */
const MAX_WAITING = 1_024;

/** A connection that is refused, and told so only after a while: its caller then tries less often. */
class DelayedRefusal implements DeadlineOwner {
  readonly #stream: ByteStream;
  readonly #turn: EventTurn;
  readonly #onEnd: (refusal: DelayedRefusal) => void;
  readonly #deadline: Deadline = new Deadline(this);

  constructor(turn: EventTurn, stream: ByteStream, delayMs: number, onEnd: (refusal: DelayedRefusal) => void) {
    this.#turn = turn;
    this.#stream = stream;
    this.#onEnd = onEnd;
    turn.deadlines.schedule(this.#deadline, turn.nowMs + delayMs);
  }

  onDeadline(): void {
    this.end();
  }

  end(): void {
    this.#turn.deadlines.remove(this.#deadline);
    this.#stream.destroy();
    this.#onEnd(this);
  }
}

/** What the network filters of a listener's chains have said about its connections. Of chains without such filters: nothing. */
export class Admissions<Connection extends object> {
  readonly #turn: EventTurn;
  readonly #admitted = new Map<Connection, Admission>();
  readonly #waiting = new Set<DelayedRefusal>();
  readonly #onWaitOver: () => void;

  /** `onWaitOver`: a refused connection that was kept waiting is gone. */
  constructor(turn: EventTurn, onWaitOver: () => void) {
    this.#turn = turn;
    this.#onWaitOver = onWaitOver;
  }

  /** Refused connections that still hold their sockets. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Asked once a connection has shown who it is, before a byte of it is read. undefined: refused, and dealt with. */
  admit(filters: NetworkFilterChain, stream: ByteStream, sniffedServerName: string): Admission | undefined {
    const peer = peerOf(stream);
    const serverName = peer.transport.serverName === '' ? sniffedServerName : peer.transport.serverName;
    const connection: NetworkConnection = { peer, serverName };
    const answer = filters.admit(connection);
    if (answer instanceof Admission) return answer;
    if (answer.delayMs > 0 && this.#waiting.size < MAX_WAITING) {
      this.#waiting.add(new DelayedRefusal(this.#turn, stream, answer.delayMs, (refusal) => this.#waitOver(refusal)));
    } else stream.destroy();
    return undefined;
  }

  opened(connection: Connection, admission: Admission): void {
    this.#admitted.set(connection, admission);
  }

  replaced(connection: Connection, successor: Connection): void {
    const admission = this.#admitted.get(connection);
    if (admission === undefined) return;
    this.#admitted.delete(connection);
    this.#admitted.set(successor, admission);
  }

  ended(connection: Connection): void {
    this.#admitted.get(connection)?.release();
    this.#admitted.delete(connection);
  }

  /** New rules for a connection that lives: false where it would not be let in now. */
  mayStay(connection: Connection, filters: NetworkFilterChain | undefined): boolean {
    const admission = this.#admitted.get(connection);
    if (admission === undefined || filters === undefined || filters === admission.chain) return true;
    return filters.stillAdmits(admission.connection);
  }

  /** Ends those that wait. */
  destroy(): void {
    for (const refusal of [...this.#waiting]) refusal.end();
  }

  #waitOver(refusal: DelayedRefusal): void {
    this.#waiting.delete(refusal);
    this.#onWaitOver();
  }
}
