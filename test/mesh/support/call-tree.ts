/** The part of a span that a picture of a trace needs, whoever it was read from. */
export interface CallSpan {
  readonly spanId: string;
  /** '' for a root. */
  readonly parentSpanId: string;
  readonly service: string;
  readonly kind: string;
  readonly startNs: bigint;
  readonly endNs: bigint;
}

/**
 * A trace as indented lines, `service kind`, children under their parents and in the order of their names; a span whose
 * parent is missing stands at the margin. Two traces of the same calls have the same lines.
 */
export function callTree(spans: readonly CallSpan[]): readonly string[] {
  const known = new Set(spans.map(({ spanId }) => spanId));
  const roots = spans.filter(({ parentSpanId }) => !known.has(parentSpanId));
  return branches(roots, spans, '');
}

function branches(level: readonly CallSpan[], spans: readonly CallSpan[], indent: string): string[] {
  return level
    .map((span) => [
      `${indent}${span.service} ${span.kind}`,
      ...branches(
        spans.filter(({ parentSpanId }) => parentSpanId === span.spanId),
        spans,
        `${indent}  `,
      ),
    ])
    .sort((a, b) => (a.join('\n') < b.join('\n') ? -1 : 1))
    .flat();
}

/** Pairs of spans of one parent that ran at the same time. */
export function overlappingSiblings(spans: readonly CallSpan[]): number {
  let pairs = 0;
  for (const [at, one] of spans.entries()) {
    for (const other of spans.slice(at + 1)) {
      const areSiblings = one.parentSpanId !== '' && one.parentSpanId === other.parentSpanId;
      if (areSiblings && one.startNs < other.endNs && other.startNs < one.endNs) pairs++;
    }
  }
  return pairs;
}

/** Spans that begin before their parent or end after it, which on one machine's clock must not be. */
export function outsideParent(spans: readonly CallSpan[], toleranceNs: bigint): readonly CallSpan[] {
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  return spans.filter((span) => {
    const parent = byId.get(span.parentSpanId);
    return (
      parent !== undefined && (span.startNs + toleranceNs < parent.startNs || span.endNs > parent.endNs + toleranceNs)
    );
  });
}
