import type { ResponseHead } from '../../http/head.ts';
import type { HeaderEdits } from '../../http/header-edits.ts';
import type { HeaderFields } from '../../http/header-fields.ts';

/** The downstream side of one stream as its codec offers it. Everything written in a turn leaves in one piece. */
export interface DownstreamWriter {
  writeInformational(head: ResponseHead, edits: HeaderEdits): void;
  /** The response's head. A 101 turns the connection into a tunnel. */
  writeHead(head: ResponseHead, edits: HeaderEdits): void;
  writeBody(buffer: Buffer, start: number, end: number): void;
  writeTrailers(fields: HeaderFields): void;
  /** The response is complete; the stream may be reused for the next request from here on. */
  writeEnd(): void;
  /** The response cannot be completed: the downstream must see that it was cut. */
  abort(): void;
  /** True while output waits for a slow reader. */
  readonly isBackedUp: boolean;
  /** No more request body for now, and on again. */
  pauseRequest(): void;
  resumeRequest(): void;
  /** In a tunnel: FIN after what is queued. */
  finishTunnel(): void;
}
