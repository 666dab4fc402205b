/**
 * The HTTP/1.1 checklist: what each row asks of the sidecar, and who proves it. Tests are named `row NN: …` wherever they
 * stand; the page in docs/conformance is made from a run of them.
 */
export interface ConformanceRow {
  readonly row: number;
  readonly behaviour: string;
  /** `codec`: bytes decide. `connection`: the connection manager, the pool or a policy decides. `both`: each has its part. */
  readonly decidedBy: 'codec' | 'connection' | 'both';
}

const codec = (row: number, behaviour: string): ConformanceRow => ({ row, behaviour, decidedBy: 'codec' });
const connection = (row: number, behaviour: string): ConformanceRow => ({ row, behaviour, decidedBy: 'connection' });
const both = (row: number, behaviour: string): ConformanceRow => ({ row, behaviour, decidedBy: 'both' });

export const ROWS: readonly ConformanceRow[] = [
  codec(1, 'Content-Length with Transfer-Encoding: 400, close'),
  codec(2, 'two different Content-Length: 400'),
  codec(3, 'two equal Content-Length, or a list: 400'),
  codec(4, 'Content-Length that is not digits: 400'),
  codec(5, 'Content-Length with leading zeros: 400'),
  codec(6, 'Content-Length of more than 15 digits: 400'),
  codec(7, 'Content-Length names that differ in case are duplicates'),
  codec(8, 'Transfer-Encoding in HTTP/1.0: 400, close'),
  codec(9, 'request Transfer-Encoding where chunked is not last: 400'),
  codec(10, 'unknown Transfer-Encoding: 501, never forwarded'),
  codec(11, 'gzip, chunked: 501'),
  codec(12, 'chunked twice, or two Transfer-Encoding fields: 400'),
  codec(13, 'empty elements or parameters in Transfer-Encoding: 400'),
  codec(14, 'control and high bytes in Transfer-Encoding: 400'),
  codec(15, 'chunked in any case, with blanks around: accepted, written as `chunked`'),
  codec(16, 'blank before the colon: 400 in requests, 502 in responses'),
  codec(17, 'underscore names that alias known ones: refused, or dropped where configured'),
  codec(18, 'names that are not tokens, or empty: 400'),
  codec(19, 'field line without colon: 400'),
  codec(20, 'folded field: 400 in requests, 502 in responses'),
  codec(21, 'blank-led line before the first field: 400'),
  codec(22, 'bare LF as any line end: 400'),
  codec(23, 'bare CR anywhere: 400'),
  codec(24, 'NUL or control byte in a value: 400'),
  codec(25, 'bytes 0x80-0xff in a value pass unchanged'),
  codec(26, 'request line that is not `method SP target SP version`: 400'),
  codec(27, 'method that is not an upper-case token of at most 32 bytes: 400 or 501'),
  codec(28, 'version other than HTTP/1.0 and HTTP/1.1: 400 or 505'),
  codec(29, 'Host missing, twice, a list, empty, with userinfo, path, NUL or bad port: 400'),
  codec(30, 'absolute target: its authority replaces Host, one value for all'),
  codec(31, 'authority-form for CONNECT only, `*` for OPTIONS only'),
  codec(32, '`#`, high bytes, controls and NUL in the target: 400'),
  both(33, 'odd paths are forwarded unchanged; policy sees the normalised form and denies ambiguous ones'),
  codec(34, 'target of 8000 bytes works, over the limit 414; head over 60 KiB or 100 fields 431'),
  codec(35, 'HTTP/2 preface or TLS hello on an HTTP/1 port: refused at once'),
  codec(36, 'at most two empty lines before a request'),
  codec(37, 'chunk size that is not plain hexadecimal: 400, close'),
  codec(38, 'chunk size overflow, endless leading zeros: 400'),
  codec(39, 'chunk lines and data not ended by CR LF: 400'),
  codec(40, 'chunk extensions: strict, at most 1 KiB per chunk and 16 KiB per body, never forwarded'),
  codec(41, 'trailers: counted, framing, routing and auth names dropped, never merged into the head'),
  codec(42, 'bytes after the last chunk: the next request, or 400'),
  both(43, 'client stops mid-body: the upstream sees an aborted request'),
  both(44, 'upstream stops mid-body: the client sees an aborted response'),
  codec(45, 'the same bytes cut anywhere: identical result'),
  codec(46, 'Content-Length body on GET, HEAD, OPTIONS, DELETE: read and forwarded'),
  codec(47, 'chunked body on GET, HEAD, OPTIONS, DELETE: read and forwarded'),
  connection(48, 'local reply before the body is read: drain within bounds, else close and linger'),
  connection(49, 'upstream replies before the body is sent: relay, do not reuse unless the request finished'),
  codec(50, 'bytes from upstream beyond the message or on an idle connection: close'),
  codec(51, 'HEAD, 204, 304, 1xx: no body forwarded, surplus closes'),
  codec(52, 'response with both framings, bad or two Content-Length: 502, close'),
  both(53, '1xx: forwarded to 1.1, dropped to 1.0, at most 16; 101 unasked: 502'),
  both(54, 'Expect: 100-continue forwarded, body after 100, final or 1 s; unknown: 417; ignored on 1.0'),
  both(55, 'Upgrade: a tunnel only after 101 to a bodyless GET that asked; client bytes held until then'),
  codec(56, 'Upgrade: h2c and HTTP2-Settings are stripped'),
  both(57, 'CONNECT, if enabled: a tunnel only after 2xx, no framing fields, early data held'),
  codec(58, 'Connection and the fields it names are removed'),
  codec(59, 'protected names in Connection: 400; our own fields are set after the client’s are removed'),
  codec(60, 'Keep-Alive, Proxy-Connection, TE, Upgrade: never forwarded'),
  connection(61, 'Via appended on requests; own pseudonym seen too often: 508'),
  connection(62, 'Max-Forwards of TRACE and OPTIONS; TRACE off by default'),
  codec(63, 'repeated fields keep their order, Set-Cookie is never joined'),
  connection(64, 'forwarding and mesh fields: who may set each, stripped at trust edges'),
  both(65, 'HTTP/1.0 client: no chunked reply, closes by default'),
  both(66, 'pipelined valid then invalid: the first answered, then 400 and close'),
  codec(67, 'CR, LF or NUL in a response field: 502'),
  connection(68, 'slow head, slow body, slow reader: 408 or close at the timeout'),
  connection(69, 'a non-idempotent request on a connection that dies is not retried'),
];
