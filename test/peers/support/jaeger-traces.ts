import type { CallSpan } from '../../mesh/support/call-tree.ts';

/** One trace as Jaeger's query API gives it back. */
export interface JaegerTrace {
  readonly traceId: string;
  readonly spans: readonly (CallSpan & { readonly tags: ReadonlyMap<string, unknown> })[];
}

/** The part that we read of the answer to `/api/traces`. */
interface TracesAnswer {
  readonly data: readonly {
    readonly traceID: string;
    readonly spans: readonly {
      readonly spanID: string;
      readonly references?: readonly { readonly refType: string; readonly spanID: string }[];
      /** Microseconds. */
      readonly startTime: number;
      readonly duration: number;
      readonly processID: string;
      readonly tags: readonly { readonly key: string; readonly value: unknown }[];
    }[];
    readonly processes: Readonly<Record<string, { readonly serviceName: string }>>;
  }[];
}

const MAX_TRACES = 1_000;

/** The newest traces in which the service took part. */
export async function tracesOf(queryAddress: string, service: string): Promise<readonly JaegerTrace[]> {
  const query = new URLSearchParams({ service, limit: String(MAX_TRACES), lookback: '1h' });
  const response = await fetch(`${queryAddress}/api/traces?${query.toString()}`, {
    signal: AbortSignal.timeout(20_000),
  });
  const { data } = (await response.json()) as TracesAnswer;
  return data.map(({ traceID, spans, processes }) => ({
    traceId: traceID,
    spans: spans.map((span) => {
      const tags = new Map(span.tags.map(({ key, value }) => [key, value]));
      const kind = tags.get('span.kind');
      return {
        spanId: span.spanID,
        parentSpanId: span.references?.find(({ refType }) => refType === 'CHILD_OF')?.spanID ?? '',
        service: processes[span.processID]?.serviceName ?? '',
        kind: typeof kind === 'string' ? kind : '',
        startNs: BigInt(span.startTime) * 1_000n,
        endNs: BigInt(span.startTime + span.duration) * 1_000n,
        tags,
      };
    }),
  }));
}
