import type { CorsPolicy } from '../../resource/filter-config.ts';
import type { Counter } from '../../telemetry/metrics/metrics.ts';
import { compileStringMatcher } from '../route/route.ts';
import { requestValue } from './effective-fields.ts';
import type { FilterContext } from './filter-context.ts';
import type { CompiledFilter, FilterStream } from './filter-stream.ts';
import { plainReply } from './local-replies.ts';

/** envoy.filters.http.cors: nothing by itself; a route's or virtual host's policy says which origins may do what. */
export function createCors(name: string, _config: { readonly kind: 'cors' }, context: FilterContext): CompiledFilter {
  return {
    name,
    forRoute([own]) {
      return own?.kind === 'cors' ? corsWith(name, own, context) : this;
    },
  };
}

function corsWith(name: string, policy: CorsPolicy, { metrics, random, statPrefix }: FilterContext): CompiledFilter {
  const origins = policy.allowOrigins.map(compileStringMatcher);
  const scope = { kind: 'http', name: statPrefix } as const;
  const valid: Counter = metrics.counter(scope, 'cors.origin_valid');
  const invalid: Counter = metrics.counter(scope, 'cors.origin_invalid');
  /** Streams with an allowed origin, and what their answer will say. */
  const allowed = new Map<FilterStream, Answer>();
  return {
    name,
    onRequestHead(stream) {
      const origin = requestValue(stream, 'origin');
      if (origin === undefined || !happens(policy.filterEnabled, random.next())) return 'continue';
      const isPreflight =
        stream.head.method === 'OPTIONS' && (requestValue(stream, 'access-control-request-method') ?? '') !== '';
      const isAllowed = origins.some((accepts) => accepts(origin));
      (isAllowed ? valid : invalid).increment();
      if (isAllowed) allowed.set(stream, { origin, isPreflight, asksPrivate: asksForPrivateNetwork(stream) });
      if (!isPreflight || (!isAllowed && policy.forwardNotMatchingPreflights)) return 'continue';
      stream.sendLocalReply(plainReply(200, 'cors_response', ''), '');
      return 'stop';
    },
    onResponseHead(stream, head) {
      const answer = allowed.get(stream);
      if (answer === undefined) return 'continue';
      const set = (field: string, value: string): void => {
        if (value !== '') stream.responseEdits.set(head.fields, field, value);
      };
      set('access-control-allow-origin', answer.origin);
      if (policy.allowCredentials) set('access-control-allow-credentials', 'true');
      if (answer.isPreflight) {
        set('access-control-allow-methods', policy.allowMethods);
        set('access-control-allow-headers', policy.allowHeaders);
        set('access-control-max-age', policy.maxAge);
        if (policy.allowPrivateNetworkAccess && answer.asksPrivate) set('access-control-allow-private-network', 'true');
      } else set('access-control-expose-headers', policy.exposeHeaders);
      return 'continue';
    },
    onStreamEnd: (stream) => void allowed.delete(stream),
  };
}

interface Answer {
  readonly origin: string;
  readonly isPreflight: boolean;
  readonly asksPrivate: boolean;
}

function asksForPrivateNetwork(stream: FilterStream): boolean {
  return requestValue(stream, 'access-control-request-private-network') === 'true';
}

function happens(fraction: number, point: number): boolean {
  return fraction >= 1 || point < fraction;
}
