import type { RequestHead } from '../../http/head.ts';
import type { HeaderEdits } from '../../http/header-edits.ts';
import type { HeaderFields } from '../../http/header-fields.ts';

/** A request as the upstream would see it now. */
export interface FieldSource {
  readonly head: RequestHead;
  readonly requestEdits: HeaderEdits;
}

/** Values of a field as edits leave it: what was received and not removed, then what was added. Empty where there is none. */
export function effectiveValues(fields: HeaderFields, edits: HeaderEdits, name: string): readonly string[] {
  let values: string[] = NONE;
  for (let at = fields.indexOf(name); at >= 0; at = fields.indexOf(name, at + 1)) {
    if (edits.isRemoved(at)) continue;
    if (values === NONE) values = [];
    values.push(fields.valueAt(at));
  }
  for (let pair = 0; pair < edits.addedCount; pair++) {
    if (edits.addedName(pair) !== name) continue;
    if (values === NONE) values = [];
    values.push(edits.addedValue(pair));
  }
  return values;
}

/** The same for a request, pseudo-headers included. HTTP/1's `host` is the authority. */
export function requestValues({ head, requestEdits }: FieldSource, name: string): readonly string[] {
  switch (name) {
    case ':method':
      return [head.method];
    case ':path':
      return [head.path];
    case ':scheme':
      return [head.scheme];
    case ':authority':
    case 'host':
      return [head.authority];
    default:
      return name.startsWith(':') ? NONE : effectiveValues(head.fields, requestEdits, name);
  }
}

/** The first value, or undefined. */
export function requestValue(source: FieldSource, name: string): string | undefined {
  return requestValues(source, name)[0];
}

const NONE: string[] = [];
