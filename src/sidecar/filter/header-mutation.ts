import type { HeaderEdits } from '../../http/header-edits.ts';
import type { HeaderFields } from '../../http/header-fields.ts';
import type { HeaderMutation, HeaderMutationFilterConfig } from '../../resource/filter-config.ts';
import { applyHeaderValueOption } from '../route/route.ts';
import type { CompiledFilter } from './filter-stream.ts';

/** envoy.filters.http.header_mutation: the chain's own mutations, then those of route and virtual host, in their order. */
export function createHeaderMutation(name: string, config: HeaderMutationFilterConfig): CompiledFilter {
  return withMutations(name, [config], config);
}

function withMutations(
  name: string,
  levels: readonly HeaderMutationFilterConfig[],
  chain: HeaderMutationFilterConfig,
): CompiledFilter {
  const requestMutations = levels.flatMap((level) => level.requestMutations);
  const responseMutations = levels.flatMap((level) => level.responseMutations);
  return {
    name,
    onRequestHead(stream) {
      apply(requestMutations, stream.requestEdits, stream.head.fields);
      return 'continue';
    },
    onResponseHead(stream, head) {
      apply(responseMutations, stream.responseEdits, head.fields);
      return 'continue';
    },
    forRoute(configs) {
      const own = configs.filter((config) => config.kind === 'headerMutation');
      return withMutations(name, [chain, ...(chain.mostSpecificWins ? own.toReversed() : own)], chain);
    },
  };
}

function apply(mutations: readonly HeaderMutation[], edits: HeaderEdits, fields: HeaderFields): void {
  for (const mutation of mutations) {
    if (mutation.kind === 'remove') edits.remove(fields, mutation.name);
    else applyHeaderValueOption(edits, fields, mutation.option);
  }
}
