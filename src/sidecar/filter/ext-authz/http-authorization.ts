import type { HeaderFields } from '../../../http/header-fields.ts';
import type { HeaderValueOption } from '../../../resource/route-configuration.ts';
import type { ExtAuthzConfig, HttpAuthorizationService } from '../../../resource/upstream-service.ts';
import { compileStringMatcher, type StringPredicate } from '../../route/route.ts';
import type { FilterContext } from '../filter-context.ts';
import type { FilterStream } from '../filter-stream.ts';
import type { UpstreamCall, UpstreamCallAnswer } from '../upstream-calls.ts';
import { isWritable } from '../writable-header.ts';
import {
  type AuthorizationClient,
  type AuthorizationOutcome,
  PARTIAL_BODY_HEADER,
  type SeenBody,
} from './authorization-client.ts';
import { anyOf, compileSelection, toldHeaders } from './told-headers.ts';

/** A client could not go on without these, whatever else it may see. */
const ALWAYS_FOR_CLIENTS: ReadonlySet<string> = new Set(['www-authenticate', 'location']);
const NOBODY = Buffer.alloc(0);

/**
 * A service that is asked with a request of its own: the same method and path, behind a prefix. 200 lets through, 5xx is
 * no decision, and every other answer goes to the client.
 */
export class HttpAuthorization implements AuthorizationClient {
  readonly #service: HttpAuthorizationService;
  readonly #context: FilterContext;
  readonly #isTold: StringPredicate;
  readonly #goesUpstream: StringPredicate;
  readonly #isAppendedUpstream: StringPredicate;
  readonly #goesToClient: StringPredicate;
  readonly #goesToClientOnSuccess: StringPredicate;

  constructor(service: HttpAuthorizationService, config: ExtAuthzConfig, context: FilterContext) {
    this.#service = service;
    this.#context = context;
    const isSelected = compileSelection(config, () => false);
    this.#isTold = (name) => name === 'authorization' || isSelected(name);
    this.#goesUpstream = anyOf(service.upstreamHeaders.map(compileStringMatcher));
    this.#isAppendedUpstream = anyOf(service.upstreamHeadersToAppend.map(compileStringMatcher));
    this.#goesToClientOnSuccess = anyOf(service.clientHeadersOnSuccess.map(compileStringMatcher));
    const listed = service.clientHeaders && anyOf(service.clientHeaders.map(compileStringMatcher));
    this.#goesToClient = (name) => listed === undefined || listed(name) || ALWAYS_FOR_CLIENTS.has(name);
  }

  ask(
    stream: FilterStream,
    body: SeenBody | undefined,
    onOutcome: (outcome: AuthorizationOutcome) => void,
  ): UpstreamCall {
    const { clusterName, timeoutMs, pathPrefix, headersToAdd } = this.#service;
    const { method, path, authority } = stream.head;
    const told = toldHeaders(stream, this.#isTold);
    for (const { name, value } of headersToAdd) told.set(name, value);
    if (body !== undefined) told.set(PARTIAL_BODY_HEADER, String(body.isPartial));
    const request = {
      clusterName,
      method,
      path: `${pathPrefix}${path}`,
      authority: authority === '' ? this.#service.authority : authority,
      pairs: [...told].flat(),
      body: body?.bytes ?? NOBODY,
      timeoutMs,
      isGrpc: false,
    };
    return this.#context.calls.start(request, (outcome) => {
      if (outcome.kind === 'answered') onOutcome(this.#outcomeOf(outcome));
      else onOutcome({ kind: 'error', detail: outcome.detail, isTimeout: outcome.isTimeout });
    });
  }

  #outcomeOf({ status, fields, body }: UpstreamCallAnswer): AuthorizationOutcome {
    if (status >= 500) return { kind: 'error', detail: `http_status_${status}`, isTimeout: false };
    if (status !== 200) return this.#denial(status, fields, body);
    return {
      kind: 'ok',
      requestHeaders: [
        ...selected(fields, this.#goesUpstream, 'overwriteIfExistsOrAdd'),
        ...selected(fields, this.#isAppendedUpstream, 'appendIfExistsOrAdd'),
      ],
      requestHeadersToRemove: [],
      responseHeaders: selected(fields, this.#goesToClientOnSuccess, 'appendIfExistsOrAdd'),
      changesQuery: false,
    };
  }

  #denial(status: number, fields: HeaderFields, body: Buffer): AuthorizationOutcome {
    // A body of ours is text; one in another coding could not be passed on as it is.
    const isText = fields.get('content-encoding') === undefined;
    const headers = selected(fields, this.#goesToClient, 'overwriteIfExistsOrAdd');
    return {
      kind: 'denied',
      status,
      headers: headers.filter(({ name }) => name !== 'content-encoding'),
      body: isText ? body.toString('utf8') : '',
    };
  }
}

/** Fields of an answer that can be written again: the first of a name by the action, further ones beside it. */
function selected(
  fields: HeaderFields,
  isWanted: StringPredicate,
  appendAction: HeaderValueOption['appendAction'],
): readonly HeaderValueOption[] {
  const options: HeaderValueOption[] = [];
  const seen = new Set<string>();
  for (let index = 0; index < fields.count; index++) {
    const name = fields.nameAt(index);
    if (fields.isHopByHop(index) || !isWanted(name)) continue;
    const option: HeaderValueOption = {
      name,
      value: fields.valueAt(index),
      appendAction: seen.has(name) ? 'appendIfExistsOrAdd' : appendAction,
    };
    seen.add(name);
    if (isWritable(option)) options.push(option);
  }
  return options;
}
