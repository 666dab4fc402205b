import { createRequire } from 'node:module';

/** Node's own HTTP parser (llhttp in strict mode), driven without sockets: the second opinion on every message. */
export interface LlhttpMessage {
  method: string;
  url: string;
  status: number;
  version: number;
  /** Lower-case name, value, name, value … */
  fields: string[];
  body: string;
  isComplete: boolean;
  isUpgrade: boolean;
}

export interface LlhttpResult {
  readonly messages: readonly LlhttpMessage[];
  /** llhttp's error code, or ''. */
  readonly error: string;
}

type Callback = (...values: never[]) => unknown;

interface LlhttpParser {
  [callback: number]: Callback | undefined;
  initialize(type: number, resource: object, maxHeaderSize: number, lenientFlags: number): void;
  execute(buffer: Buffer): number | (Error & { code: string });
  finish(): undefined | (Error & { code: string });
  free(): void;
}

interface LlhttpModule {
  readonly HTTPParser: {
    new (): LlhttpParser;
    readonly REQUEST: number;
    readonly RESPONSE: number;
    readonly kOnHeaders: number;
    readonly kOnHeadersComplete: number;
    readonly kOnBody: number;
    readonly kOnMessageComplete: number;
    readonly kLenientNone: number;
    readonly kLenientAll: number;
  };
  readonly methods: readonly string[];
}

const { HTTPParser, methods } = createRequire(import.meta.url)('node:_http_common') as LlhttpModule;
/** llhttp knows a fixed list; a method outside it is the one thing that it alone refuses. */
export const LLHTTP_METHODS: ReadonlySet<string> = new Set(methods);
const MAX_HEADER_BYTES = 1 << 20;
const SKIP_BODY = 1;

/** One parser for each direction, used again and again: they are costly to make. */
const parser = new HTTPParser();

function newMessage(): LlhttpMessage {
  return { method: '', url: '', status: 0, version: 0, fields: [], body: '', isComplete: false, isUpgrade: false };
}

export interface LlhttpOptions {
  /** Treat responses as answers to HEAD. */
  readonly headOnly?: boolean;
  /** Every leniency llhttp knows: the sloppy parser behind us. */
  readonly isLenient?: boolean;
}

/** Parses a whole byte stream. */
export function parseWithLlhttp(
  kind: 'request' | 'response',
  bytes: string,
  { headOnly = false, isLenient = false }: LlhttpOptions = {},
): LlhttpResult {
  const messages: LlhttpMessage[] = [];
  let current = newMessage();
  let spilled: string[] = [];
  let isPastHead = false;
  const type = kind === 'request' ? HTTPParser.REQUEST : HTTPParser.RESPONSE;
  parser.initialize(type, {}, MAX_HEADER_BYTES, isLenient ? HTTPParser.kLenientAll : HTTPParser.kLenientNone);

  parser[HTTPParser.kOnHeaders] = (headers: string[], url: string): void => {
    // Called for trailers, and for heads too large for one call.
    if (isPastHead) current.fields.push(...lowerNames(headers));
    else spilled.push(...headers);
    if (current.url === '') current.url = url;
  };
  parser[HTTPParser.kOnHeadersComplete] = (
    major: number,
    minor: number,
    headers: string[] | undefined,
    method: number | undefined,
    url: string | undefined,
    status: number | undefined,
    _reason: string | undefined,
    isUpgrade: boolean,
  ): number => {
    current.version = major * 10 + minor;
    current.fields = lowerNames([...spilled, ...(headers ?? [])]);
    if (method !== undefined) current.method = methods[method] ?? '';
    if (url !== undefined) current.url = url;
    current.status = status ?? 0;
    current.isUpgrade = isUpgrade;
    messages.push(current);
    isPastHead = true;
    return headOnly ? SKIP_BODY : 0;
  };
  parser[HTTPParser.kOnBody] = (body: Buffer): void => {
    current.body += body.toString('latin1');
  };
  parser[HTTPParser.kOnMessageComplete] = (): void => {
    current.isComplete = true;
    current = newMessage();
    spilled = [];
    isPastHead = false;
  };

  const outcome = parser.execute(Buffer.from(bytes, 'latin1'));
  const failed = typeof outcome === 'number' ? parser.finish() : outcome;
  return { messages, error: failed?.code ?? '' };
}

function lowerNames(flat: readonly string[]): string[] {
  return flat.map((text, index) => (index % 2 === 0 ? text.toLowerCase() : text));
}
