import type { RequestHead, ResponseHead } from '../../http/head.ts';
import type { HeaderEdits } from '../../http/header-edits.ts';
import type { StreamRecord } from '../../telemetry/stream-record.ts';
import type { CompiledRoute } from '../route/route.ts';
import type { LocalReply } from './local-replies.ts';

/** The stream as a filter sees it. */
export interface FilterStream {
  readonly head: RequestHead;
  /** The route that matched; undefined where none did (the router will answer 404). */
  readonly route: CompiledRoute | undefined;
  readonly requestEdits: HeaderEdits;
  readonly responseEdits: HeaderEdits;
  readonly record: StreamRecord;
  /** Answers in the upstream's stead. A filter that does so returns 'stop'. */
  sendLocalReply(reply: LocalReply, detail: string): void;
  /** Goes on after the filter that stopped. */
  continueRequest(): void;
}

/** 'stop': the filter has answered, or will call continueRequest() later. */
export type FilterVerdict = 'continue' | 'stop';

/**
 * A filter with its configuration compiled: one object per chain, shared by all streams. What it must remember of one
 * stream it keeps under that stream as a key and drops in onStreamEnd. A method that is absent costs nothing.
 */
export interface CompiledFilter {
  readonly name: string;
  onRequestHead?(stream: FilterStream): FilterVerdict;
  /** In reverse order of the chain; local replies pass here too, with the head they will have. */
  onResponseHead?(stream: FilterStream, head: ResponseHead): void;
  /** Exactly once per stream that passed onRequestHead, however it ended. */
  onStreamEnd?(stream: FilterStream): void;
}
