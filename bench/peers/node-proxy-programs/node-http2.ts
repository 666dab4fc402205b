import {
  type ClientHttp2Session,
  connect,
  constants,
  createServer,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';

const [port, originPort] = process.argv.slice(2).map(Number);
const { HTTP2_HEADER_STATUS, NGHTTP2_CANCEL } = constants;
/** As many streams and windows as the origin and the load want, so that nothing waits that need not. */
const settings = { maxConcurrentStreams: 1024, initialWindowSize: 1 << 20 };

let upstream: ClientHttp2Session | undefined;

function session(): ClientHttp2Session {
  if (upstream === undefined || upstream.closed || upstream.destroyed) {
    upstream = connect(`http://127.0.0.1:${originPort}`, { settings });
    upstream.on('error', () => undefined);
  }
  return upstream;
}

const server = createServer({ settings });
server.on('sessionError', () => undefined);
server.on('stream', (downstream: ServerHttp2Stream, headers, flags) => {
  const isWhole = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
  const request = session().request(headers, { endStream: isWhole });
  let trailers: IncomingHttpHeaders | undefined;
  request.on('response', (answer) => {
    const { [HTTP2_HEADER_STATUS]: status, ...fields } = answer;
    downstream.respond({ ':status': status, ...fields }, { waitForTrailers: true });
    request.pipe(downstream);
  });
  request.on('trailers', (fields) => {
    trailers = fields;
  });
  downstream.on('wantTrailers', () => downstream.sendTrailers(trailers ?? {}));
  request.on('error', () => downstream.close(NGHTTP2_CANCEL));
  downstream.on('error', () => request.close(NGHTTP2_CANCEL));
  downstream.on('aborted', () => request.close(NGHTTP2_CANCEL));
  if (!isWhole) downstream.pipe(request);
});
server.listen(port, '127.0.0.1');
