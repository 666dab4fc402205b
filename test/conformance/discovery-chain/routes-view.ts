/** What a chain means for a proxy, in one shape, whether it is read from Consul's compiled chain or from the resources we make of it. */
export interface RoutesView {
  readonly protocol: string;
  readonly routes: readonly RouteView[];
  readonly clusters: Readonly<Record<string, ClusterView>>;
}

export interface RouteView {
  readonly match: unknown;
  readonly splits: readonly SplitView[];
  /** `default`, or Envoy's text of it; `0s` is none. */
  readonly timeout: string;
  readonly idleTimeout: string;
  readonly prefixRewrite: string;
  readonly headers: unknown;
  readonly retry: RetryView | undefined;
  readonly hashPolicy: unknown;
}

export interface SplitView {
  readonly cluster: string;
  /** Hundredths of a percent; 10,000 where there is nothing to split. */
  readonly weight: number;
  readonly headers: unknown;
}

export interface RetryView {
  readonly numRetries: number;
  readonly retryOn: readonly string[];
  readonly statusCodes: readonly number[];
}

export interface ClusterView {
  readonly connectTimeout: string;
  readonly lbPolicy: string;
  readonly source: SourceView;
  readonly failover: readonly SourceView[];
}

export interface SourceView {
  readonly service: string;
  readonly datacenter: string;
  readonly filter: string;
  readonly onlyPassing: boolean;
}

/** Every route of ours retries these: they say that no application has seen the request. */
const SAFE_RETRIES: ReadonlySet<string> = new Set(['connect-failure', 'refused-stream', 'retriable-headers']);
const SAFE_NUM_RETRIES = 2;

/** Undefined where a route asks for nothing beyond what all have. */
export function retryView(
  numRetries: number,
  retryOn: readonly string[],
  statusCodes: readonly number[],
): RetryView | undefined {
  const asked = retryOn.filter((condition) => !SAFE_RETRIES.has(condition));
  if (asked.length === 0 && statusCodes.length === 0 && numRetries === SAFE_NUM_RETRIES) return undefined;
  return { numRetries, retryOn: asked, statusCodes };
}
