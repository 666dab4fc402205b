import type { HeaderFields } from '../../http/header-fields.ts';
import type { RouteAction } from '../../resource/route-configuration.ts';
import { BodyFlow, type BodySink, type FilterChain, type FilterStream, OPEN } from '../filter/filter.ts';
import { type Forwarding, type Mirror, startMirrors, type Upstreams } from '../filter/router/router.ts';
import { CopiedFields } from '../pool/pool.ts';
import type { CompiledRoute } from '../route/route.ts';
import type { DownstreamWriter } from './downstream-writer.ts';

/** The stream whose request it is. */
export interface RequestPathOwner extends FilterStream {
  /** Whether trailers may go on. */
  readonly passesTrailers: boolean;
  /** Counts the requests of this stream object; 0 while it is idle. */
  exchange(): number;
  /** All filters have agreed to the head. */
  routeRequest(): void;
  /** The router is about to have all of the request. */
  requestPassed(): void;
}

const NO_MIRRORS: readonly Mirror[] = [];

/**
 * A request on its way from the codec through the filters to the router. Where no filter holds it or looks at its body,
 * bytes go straight through.
 */
export class RequestPath implements BodySink {
  readonly #owner: RequestPathOwner;
  readonly #forwarding: Forwarding;
  readonly #writer: DownstreamWriter;
  readonly #upstreams: Upstreams;
  /** The filter that holds the request; OPEN once the router has it. */
  #gate = OPEN;
  #isPlain = true;
  #flow: BodyFlow | undefined = undefined;
  #trailers: HeaderFields | undefined = undefined;
  /** What may wait behind a filter before reading stops. */
  #holdBytes = 0;
  /** Copies of the request for other clusters. */
  #mirrors: readonly Mirror[] = NO_MIRRORS;
  /** The router's own back-pressure. */
  #isHeldByRouter = false;

  constructor(owner: RequestPathOwner, forwarding: Forwarding, writer: DownstreamWriter, upstreams: Upstreams) {
    this.#upstreams = upstreams;
    this.#owner = owner;
    this.#forwarding = forwarding;
    this.#writer = writer;
  }

  /** Shows the head to the filters, and to the router if they agree. */
  begin(filters: FilterChain): void {
    this.#isPlain = true;
    this.#isHeldByRouter = false;
    this.#holdBytes = 0;
    this.#mirrors = NO_MIRRORS;
    const exchange = this.#owner.exchange();
    this.#runFilters(filters, 0);
    if (this.#owner.exchange() !== exchange) return;
    this.#isPlain = this.#gate === OPEN && filters.requestBody.length === 0 && this.#mirrors.length === 0;
    if (this.#isPlain) return;
    this.#flow ??= new BodyFlow(this.#owner, this);
    this.#flow.begin(filters.requestBody, this.#gate);
  }

  /** The filter that held the request lets it go. */
  continue(filters: FilterChain): void {
    if (this.#gate === OPEN) return;
    const exchange = this.#owner.exchange();
    this.#runFilters(filters, this.#gate + 1);
    if (this.#owner.exchange() !== exchange) return;
    this.#flow?.moveGate(this.#gate);
    if (this.#owner.exchange() !== exchange) return;
    if (this.#gate === OPEN && !this.#isHeldByRouter) this.#writer.resumeRequest();
  }

  body(buffer: Buffer, start: number, end: number): void {
    if (this.#isPlain) this.#forwarding.sendBody(buffer, start, end);
    else this.#flow?.body(buffer, start, end);
  }

  trailers(fields: HeaderFields): void {
    if (!this.#isPlain) this.#trailers = new CopiedFields(fields);
    else if (this.#owner.passesTrailers) this.#forwarding.sendTrailers(fields);
  }

  end(): void {
    if (this.#isPlain) this.passEnd(undefined);
    else this.#flow?.end(this.#trailers);
  }

  /** The exchange is over. */
  clear(): void {
    if (this.#isPlain) return;
    this.#flow?.clear();
    this.#trailers = undefined;
    for (const mirror of this.#mirrors) mirror.streamEnded();
    this.#mirrors = NO_MIRRORS;
  }

  /** Hands the request to the router, and copies of it to the mirrors that the route asks for. */
  forward(route: CompiledRoute, action: RouteAction): void {
    const exchange = this.#owner.exchange();
    this.#forwarding.begin(route, action);
    if (action.requestMirrorPolicies.length === 0 || this.#owner.exchange() !== exchange) return;
    this.#mirrors = startMirrors(this.#upstreams, this.#owner, route, action);
  }

  holdUpTo(bytes: number): void {
    this.#holdBytes = bytes;
  }

  holdForRouter(): void {
    this.#isHeldByRouter = true;
    this.#writer.pauseRequest();
  }

  releaseForRouter(): void {
    this.#isHeldByRouter = false;
    this.#writer.resumeRequest();
  }

  exchange(): number {
    return this.#owner.exchange();
  }

  passBody(buffer: Buffer, start: number, end: number): void {
    for (const mirror of this.#mirrors) mirror.body(buffer, start, end);
    this.#forwarding.sendBody(buffer, start, end);
  }

  passEnd(trailers: HeaderFields | undefined): void {
    if (trailers !== undefined && this.#owner.passesTrailers) this.#forwarding.sendTrailers(trailers);
    this.#owner.requestPassed();
    for (const mirror of this.#mirrors) mirror.end();
    this.#forwarding.endRequest();
  }

  held(bytes: number): void {
    if (bytes > this.#holdBytes) this.#writer.pauseRequest();
  }

  #runFilters(filters: FilterChain, from: number): void {
    const exchange = this.#owner.exchange();
    this.#gate = OPEN;
    const gate = filters.runRequestHead(this.#owner, from);
    if (this.#owner.exchange() !== exchange) return;
    this.#gate = gate;
    if (gate === OPEN) this.#owner.routeRequest();
  }
}
