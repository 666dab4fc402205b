import type { ExportRequest, WireAttribute, WireSpan, WireValue } from './otlp-messages.ts';

export type AttributeValue = string | number | boolean | null | readonly AttributeValue[] | AttributeMap;
export interface AttributeMap {
  readonly [key: string]: AttributeValue;
}

/** One span as received; plain JSON. */
export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** '' for a root. */
  readonly parentSpanId: string;
  readonly traceState: string;
  readonly service: string;
  readonly name: string;
  readonly kind: 'unspecified' | 'internal' | 'server' | 'client' | 'producer' | 'consumer';
  readonly startUnixNano: string;
  readonly endUnixNano: string;
  readonly attributes: AttributeMap;
  readonly resource: AttributeMap;
  readonly events: readonly { readonly name: string; readonly unixNano: string }[];
  readonly status: { readonly code: 'unset' | 'ok' | 'error'; readonly message: string };
}

const KINDS = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'] as const;
const STATUS_CODES = ['unset', 'ok', 'error'] as const;
/** Nesting of attribute values that is followed; deeper ones read as null. */
const MAX_DEPTH = 8;

/** All spans of a request that have valid identifiers, and how many had not. */
export function receivedSpans(request: ExportRequest): { spans: readonly ReceivedSpan[]; rejected: number } {
  const spans: ReceivedSpan[] = [];
  let rejected = 0;
  for (const { resource, scopeSpans } of request.resourceSpans) {
    const resourceAttributes = attributeMap(resource?.attributes ?? []);
    for (const scope of scopeSpans) {
      for (const span of scope.spans) {
        if (span.traceId.length === 16 && span.spanId.length === 8) spans.push(receivedSpan(span, resourceAttributes));
        else rejected += 1;
      }
    }
  }
  return { spans, rejected };
}

function receivedSpan(span: WireSpan, resource: AttributeMap): ReceivedSpan {
  const service = resource['service.name'];
  return {
    traceId: span.traceId.toString('hex'),
    spanId: span.spanId.toString('hex'),
    parentSpanId: span.parentSpanId.toString('hex'),
    traceState: span.traceState,
    service: typeof service === 'string' ? service : '',
    name: span.name,
    kind: KINDS[span.kind] ?? 'unspecified',
    startUnixNano: span.startTimeUnixNano,
    endUnixNano: span.endTimeUnixNano,
    attributes: attributeMap(span.attributes),
    resource,
    events: span.events.map(({ name, timeUnixNano }) => ({ name, unixNano: timeUnixNano })),
    status: { code: STATUS_CODES[span.status?.code ?? 0] ?? 'unset', message: span.status?.message ?? '' },
  };
}

function attributeMap(attributes: readonly WireAttribute[], depth = 0): AttributeMap {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, attributeValue(value, depth)]));
}

function attributeValue(wire: WireValue | null | undefined, depth: number): AttributeValue {
  if (wire === null || wire === undefined || depth > MAX_DEPTH) return null;
  if (wire.arrayValue) return wire.arrayValue.values.map((value) => attributeValue(value, depth + 1));
  if (wire.kvlistValue) return attributeMap(wire.kvlistValue.values, depth + 1);
  if (wire.bytesValue) return wire.bytesValue.toString('base64');
  if (wire.intValue !== undefined) return integer(wire.intValue);
  return wire.stringValue ?? wire.boolValue ?? wire.doubleValue ?? null;
}

/** A number where a number holds it, else its digits. */
function integer(text: string): number | string {
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : text;
}
