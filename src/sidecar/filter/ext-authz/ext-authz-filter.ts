import type { AuthorizationAnswer } from '../../../resource/authorization-message.ts';
import type { HeaderValueOption } from '../../../resource/route-configuration.ts';
import type { CheckedBody, ExtAuthzConfig, ExtAuthzRouteConfig } from '../../../resource/upstream-service.ts';
import type { Counter } from '../../../telemetry/metrics/metrics.ts';
import { applyHeaderValueOption } from '../../route/route.ts';
import type { BodyPiece } from '../body-piece.ts';
import type { FilterContext } from '../filter-context.ts';
import type { CompiledFilter, FilterStream, FilterVerdict } from '../filter-stream.ts';
import { plainReply } from '../local-replies.ts';
import type { UpstreamCall } from '../upstream-calls.ts';
import { isWritable, isWritableName } from '../writable-header.ts';
import type { AuthorizationClient, AuthorizationOutcome, SeenBody } from './authorization-client.ts';
import { GrpcAuthorization } from './grpc-authorization.ts';
import { HttpAuthorization } from './http-authorization.ts';

const FLAGS = 'UAEX';
const TOO_LARGE = plainReply(413, 'request_payload_too_large', 'Payload Too Large');
const FAILURE_ALLOWED_HEADER = 'x-envoy-auth-failure-mode-allowed';
const BODILESS: ReadonlySet<number> = new Set([204, 205, 304]);

/** envoy.filters.http.ext_authz: a service of the mesh says who may pass. Where it cannot be asked nobody may. */
export function createExtAuthz(name: string, config: ExtAuthzConfig, context: FilterContext): CompiledFilter {
  return withSettings(name, config, context, new ExtAuthzCounters(config, context), []);
}

/** `settings` are those of route and virtual host, the most specific first. */
function withSettings(
  name: string,
  config: ExtAuthzConfig,
  context: FilterContext,
  counters: ExtAuthzCounters,
  settings: readonly ExtAuthzRouteConfig[],
): CompiledFilter {
  const extensions = new Map(settings.toReversed().flatMap(({ contextExtensions }) => [...contextExtensions]));
  const [own] = settings;
  const requestBody = own?.disableRequestBodyBuffering === true ? undefined : (own?.requestBody ?? config.requestBody);
  const asked = { ...config, requestBody };
  const { service } = asked;
  const client =
    service.by === 'grpc'
      ? new GrpcAuthorization(service.grpc, asked, context, extensions)
      : new HttpAuthorization(service, asked, context);
  const authorization = new Authorization(asked, context, client, counters);
  const bodyHooks: Pick<CompiledFilter, 'onRequestBody' | 'onRequestEnd'> =
    requestBody === undefined
      ? {}
      : {
          onRequestBody: (stream, piece) => authorization.onBody(stream, piece, requestBody),
          onRequestEnd: (stream) => authorization.onEnd(stream),
        };
  return {
    name,
    onRequestHead: (stream) => authorization.onRequest(stream),
    ...bodyHooks,
    onResponseHead(stream, head) {
      for (const option of authorization.responseHeaders(stream)) {
        applyHeaderValueOption(stream.responseEdits, head.fields, option);
      }
      return 'continue';
    },
    onStreamEnd: (stream) => authorization.onStreamEnd(stream),
    forRoute(configs) {
      const own = configs.filter((routeConfig) => routeConfig.kind === 'extAuthzSettings');
      return own.length === 0 ? this : withSettings(name, config, context, counters, own);
    },
  };
}

/** With Envoy's names. */
class ExtAuthzCounters {
  readonly ok: Counter;
  readonly denied: Counter;
  readonly error: Counter;
  readonly timeout: Counter;
  readonly invalid: Counter;
  readonly failureModeAllowed: Counter;

  constructor({ statPrefix }: ExtAuthzConfig, { metrics, statPrefix: manager }: FilterContext) {
    const scope = { kind: 'http', name: manager } as const;
    const prefix = statPrefix === '' ? 'ext_authz' : `ext_authz.${statPrefix}`;
    this.ok = metrics.counter(scope, `${prefix}.ok`);
    this.denied = metrics.counter(scope, `${prefix}.denied`);
    this.error = metrics.counter(scope, `${prefix}.error`);
    this.timeout = metrics.counter(scope, `${prefix}.timeout`);
    this.invalid = metrics.counter(scope, `${prefix}.invalid`);
    this.failureModeAllowed = metrics.counter(scope, `${prefix}.failure_mode_allowed`);
  }
}

/**
 *     collecting → asked → decided
 *
 * The check of one request. Only where a body is shown to the service is anything collected.
 */
interface Check {
  state: 'collecting' | 'asked' | 'decided';
  call: UpstreamCall | undefined;
  pieces: Buffer[];
  bytes: number;
  responseHeaders: readonly HeaderValueOption[];
}

const NO_HEADERS: readonly HeaderValueOption[] = [];

class Authorization {
  readonly #config: ExtAuthzConfig;
  readonly #context: FilterContext;
  readonly #client: AuthorizationClient;
  readonly #counters: ExtAuthzCounters;
  readonly #checks = new Map<FilterStream, Check>();

  constructor(config: ExtAuthzConfig, context: FilterContext, client: AuthorizationClient, counters: ExtAuthzCounters) {
    this.#config = config;
    this.#context = context;
    this.#client = client;
    this.#counters = counters;
  }

  onRequest(stream: FilterStream): FilterVerdict {
    const { filterEnabled, requestBody } = this.#config;
    if (filterEnabled < 1 && this.#context.random.next() >= filterEnabled) return 'continue';
    const { bodyLength, upgrade } = stream.head;
    const check: Check = { state: 'asked', call: undefined, pieces: [], bytes: 0, responseHeaders: NO_HEADERS };
    this.#checks.set(stream, check);
    if (requestBody === undefined || bodyLength === 0 || upgrade !== '') return this.#askAboutHead(stream, check);
    if (!requestBody.allowPartialMessage && bodyLength > requestBody.maxBytes) {
      check.state = 'decided';
      stream.sendLocalReply(TOO_LARGE, '');
      return 'stop';
    }
    check.state = 'collecting';
    stream.holdRequestUpTo(requestBody.maxBytes);
    return 'stop';
  }

  onBody(stream: FilterStream, piece: BodyPiece, { maxBytes, allowPartialMessage }: CheckedBody): void {
    const check = this.#checks.get(stream);
    if (check?.state !== 'collecting') return;
    const room = maxBytes - check.bytes;
    check.bytes += piece.length;
    check.pieces.push(Buffer.from(piece.view().subarray(0, room)));
    if (check.bytes <= maxBytes && !(allowPartialMessage && check.bytes === maxBytes)) return;
    if (allowPartialMessage) this.#askWithBody(stream, check, true);
    else {
      check.state = 'decided';
      check.pieces = [];
      stream.sendLocalReply(TOO_LARGE, '');
    }
  }

  onEnd(stream: FilterStream): void {
    const check = this.#checks.get(stream);
    if (check?.state === 'collecting') this.#askWithBody(stream, check, false);
  }

  responseHeaders(stream: FilterStream): readonly HeaderValueOption[] {
    return this.#checks.get(stream)?.responseHeaders ?? NO_HEADERS;
  }

  /** Nobody waits for the answer any more. */
  onStreamEnd(stream: FilterStream): void {
    this.#checks.get(stream)?.call?.cancel();
    this.#checks.delete(stream);
  }

  /** The answer may be here before the question is out: where there is nobody to ask. */
  #askAboutHead(stream: FilterStream, check: Check): FilterVerdict {
    let isAsking = true;
    let verdict: FilterVerdict = 'stop';
    this.#ask(stream, check, undefined, (decided) => {
      verdict = decided;
      if (!isAsking && decided === 'continue') stream.continueRequest();
    });
    isAsking = false;
    return verdict;
  }

  #askWithBody(stream: FilterStream, check: Check, isPartial: boolean): void {
    check.state = 'asked';
    const bytes = Buffer.concat(check.pieces);
    check.pieces = [];
    this.#ask(stream, check, { bytes, isPartial }, (decided) => {
      if (decided === 'continue') stream.continueRequest();
    });
  }

  #ask(
    stream: FilterStream,
    check: Check,
    body: SeenBody | undefined,
    onDecided: (verdict: FilterVerdict) => void,
  ): void {
    const call = this.#client.ask(stream, body, (outcome) => {
      check.state = 'decided';
      onDecided(this.#decide(stream, check, outcome));
    });
    check.call = call;
  }

  #decide(stream: FilterStream, check: Check, outcome: AuthorizationOutcome): FilterVerdict {
    switch (outcome.kind) {
      case 'ok':
        return this.#allow(stream, check, outcome);
      case 'denied':
        this.#deny(stream, check, outcome);
        return 'stop';
      case 'error':
        if (outcome.isTimeout) this.#counters.timeout.increment();
        return this.#fail(stream, outcome.detail);
    }
  }

  /** All that the service asks for, or nothing: half of it would be a request that it has not agreed to. */
  #allow(
    stream: FilterStream,
    check: Check,
    answer: Extract<AuthorizationAnswer, { readonly kind: 'ok' }>,
  ): FilterVerdict {
    const { requestHeaders, requestHeadersToRemove, responseHeaders, changesQuery } = answer;
    const isObeyed =
      !changesQuery &&
      requestHeaders.every(isWritable) &&
      responseHeaders.every(isWritable) &&
      requestHeadersToRemove.every(isWritableName);
    if (!isObeyed) {
      this.#counters.invalid.increment();
      return this.#fail(stream, 'answer_cannot_be_obeyed');
    }
    this.#counters.ok.increment();
    const { fields } = stream.head;
    for (const name of requestHeadersToRemove) stream.requestEdits.remove(fields, name);
    for (const option of requestHeaders) applyHeaderValueOption(stream.requestEdits, fields, option);
    check.responseHeaders = responseHeaders;
    return 'continue';
  }

  #deny(
    stream: FilterStream,
    check: Check,
    { status, headers, body }: Extract<AuthorizationAnswer, { readonly kind: 'denied' }>,
  ): void {
    this.#counters.denied.increment();
    check.responseHeaders = headers.filter(isWritable);
    const text = BODILESS.has(status) ? '' : body;
    stream.sendLocalReply(plainReply(status, 'ext_authz_denied', text, FLAGS), '');
  }

  #fail(stream: FilterStream, detail: string): FilterVerdict {
    this.#counters.error.increment();
    const { failureModeAllow, failureModeAllowHeaderAdd, statusOnError } = this.#config;
    if (!failureModeAllow) {
      stream.sendLocalReply(plainReply(statusOnError, 'ext_authz_error', '', FLAGS), detail);
      return 'stop';
    }
    this.#counters.failureModeAllowed.increment();
    if (failureModeAllowHeaderAdd) stream.requestEdits.set(stream.head.fields, FAILURE_ALLOWED_HEADER, 'true');
    return 'continue';
  }
}
