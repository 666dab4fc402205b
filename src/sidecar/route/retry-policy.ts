import type { HeaderFields } from '../../http/header-fields.ts';
import type { RetryPolicy } from '../../resource/route-configuration.ts';
import { compileHeaderMatcher, type RequestPredicate } from './header-match.ts';

/** A RetryPolicy with its words turned into flags; which failures earn another try is asked here, when is the router's. */
export class CompiledRetryPolicy {
  /** Some failure is named that earns another try. */
  readonly isNamed: boolean;
  readonly numRetries: number;
  readonly perTryTimeoutMs: number;
  readonly baseIntervalMs: number;
  readonly maxIntervalMs: number;
  readonly previousHosts: boolean;
  readonly previousPrioritiesUpdateFrequency: number | undefined;
  readonly hostSelectionRetryMaxAttempts: number;
  readonly onConnectFailure: boolean;
  readonly onRefusedStream: boolean;
  /** Upstream reset or timed out before response headers. */
  readonly onReset: boolean;
  readonly #on5xx: boolean;
  readonly #onGatewayError: boolean;
  readonly #onRetriable4xx: boolean;
  readonly #statusCodes: ReadonlySet<number>;
  readonly #headerMatchers: readonly RequestPredicate[];

  constructor(policy: RetryPolicy) {
    const words = new Set(policy.retryOn);
    this.isNamed = words.size > 0;
    this.numRetries = policy.numRetries;
    this.perTryTimeoutMs = policy.perTryTimeoutMs;
    this.baseIntervalMs = policy.backOff.baseIntervalMs;
    this.maxIntervalMs = policy.backOff.maxIntervalMs;
    this.previousHosts = policy.previousHosts;
    this.previousPrioritiesUpdateFrequency = policy.previousPrioritiesUpdateFrequency;
    this.hostSelectionRetryMaxAttempts = policy.hostSelectionRetryMaxAttempts;
    // Envoy: 5xx includes connect failures, refused streams and resets.
    this.#on5xx = words.has('5xx');
    this.onConnectFailure = this.#on5xx || words.has('connect-failure') || words.has('gateway-error');
    this.onRefusedStream = this.#on5xx || words.has('refused-stream');
    this.onReset = this.#on5xx || words.has('reset') || words.has('gateway-error');
    this.#onGatewayError = words.has('gateway-error');
    this.#onRetriable4xx = words.has('retriable-4xx');
    this.#statusCodes = new Set(words.has('retriable-status-codes') ? policy.retriableStatusCodes : []);
    this.#headerMatchers = words.has('retriable-headers') ? policy.retriableHeaders.map(compileHeaderMatcher) : [];
  }

  retriesStatus(status: number): boolean {
    if (status >= 500)
      return this.#on5xx || (this.#onGatewayError && status >= 502 && status <= 504) || this.#statusCodes.has(status);
    return (this.#onRetriable4xx && status === 409) || this.#statusCodes.has(status);
  }

  retriesResponse(status: number, fields: HeaderFields): boolean {
    if (this.retriesStatus(status)) return true;
    if (this.#headerMatchers.length === 0) return false;
    const response = { method: '', scheme: '', authority: '', path: '', fields };
    return this.#headerMatchers.some((matches) => matches(response));
  }
}
