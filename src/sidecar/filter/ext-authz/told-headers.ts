import type { ExtAuthzConfig } from '../../../resource/upstream-service.ts';
import { compileStringMatcher, type StringPredicate } from '../../route/route.ts';
import type { FilterStream } from '../filter-stream.ts';

export type HeaderSelection = Pick<ExtAuthzConfig, 'allowedHeaders' | 'disallowedHeaders'>;

/** Which headers a service is told of; `byDefault` decides where nothing is said. */
export function compileSelection(
  { allowedHeaders, disallowedHeaders }: HeaderSelection,
  byDefault: StringPredicate,
): StringPredicate {
  const isDisallowed = anyOf(disallowedHeaders.map(compileStringMatcher));
  const isAllowed = allowedHeaders === undefined ? byDefault : anyOf(allowedHeaders.map(compileStringMatcher));
  return (name) => isAllowed(name) && !isDisallowed(name);
}

export function anyOf(predicates: readonly StringPredicate[]): StringPredicate {
  return (text) => predicates.some((matches) => matches(text));
}

/**
 * The request's headers as the upstream would see them now, several of one name joined by a comma, so that no value can hide
 * behind another. What belongs to one connection stays out.
 */
export function toldHeaders({ head, requestEdits }: FilterStream, isTold: StringPredicate): Map<string, string> {
  const told = new Map<string, string>();
  const tell = (name: string, value: string): void => {
    const before = told.get(name);
    told.set(name, before === undefined ? value : `${before}${name === 'cookie' ? '; ' : ','}${value}`);
  };
  const { fields } = head;
  for (let index = 0; index < fields.count; index++) {
    const name = fields.nameAt(index);
    const isOut = requestEdits.isRemoved(index) || fields.isHopByHop(index) || name === 'host';
    if (!isOut && isTold(name)) tell(name, fields.valueAt(index));
  }
  for (let pair = 0; pair < requestEdits.addedCount; pair++) {
    const name = requestEdits.addedName(pair);
    if (isTold(name)) tell(name, requestEdits.addedValue(pair));
  }
  return told;
}
