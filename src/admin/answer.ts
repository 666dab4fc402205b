/** What a path answers. A body in pieces is written as its reader takes it. */
export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string | Iterable<string>;
}

const TEXT = 'text/plain; charset=utf-8';

export function textAnswer(body: string | Iterable<string>, status = 200): Answer {
  return { status, contentType: TEXT, body };
}

export function jsonAnswer(value: unknown): Answer {
  return { status: 200, contentType: 'application/json', body: `${JSON.stringify(value, undefined, 1)}\n` };
}

/** The caller's mistake: what was wrong and what to write instead. */
export function badRequest(message: string): Answer {
  return textAnswer(`${message}\n`, 400);
}

/** google.protobuf.Timestamp as ProtoJSON writes it. */
export function timestamp(unixMs: number): string {
  return new Date(unixMs).toISOString();
}
