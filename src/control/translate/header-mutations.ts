import type { Json } from '../snapshot/resource-literal.ts';
import type { HeaderModifiers } from './config-entries.ts';

/** Consul's header modifiers as the four header fields that routes and weighted clusters share. */
export function headerMutationsJson(request: HeaderModifiers, response: HeaderModifiers): Json {
  return {
    ...(hasAdditions(request) ? { requestHeadersToAdd: additionsJson(request) } : {}),
    ...(request.remove.length === 0 ? {} : { requestHeadersToRemove: request.remove }),
    ...(hasAdditions(response) ? { responseHeadersToAdd: additionsJson(response) } : {}),
    ...(response.remove.length === 0 ? {} : { responseHeadersToRemove: response.remove }),
  };
}

function hasAdditions(modifiers: HeaderModifiers): boolean {
  return modifiers.add.length + modifiers.set.length > 0;
}

/** Values go through as written: Envoy's `%COMMAND%` works in them, as it does with Consul. */
function additionsJson({ add, set }: HeaderModifiers): readonly Json[] {
  const header = ([key, value]: readonly [string, string]): Json => ({ key, value });
  return [
    ...add.map((pair) => ({ header: header(pair), appendAction: 'APPEND_IF_EXISTS_OR_ADD' })),
    ...set.map((pair) => ({ header: header(pair), appendAction: 'OVERWRITE_IF_EXISTS_OR_ADD' })),
  ];
}
