import type { HeaderEdits } from '../../http/header-edits.ts';
import type { HeaderFields } from '../../http/header-fields.ts';
import type { HeaderMutations, HeaderValueOption } from '../../resource/route-configuration.ts';

/** Mutations of every level that applies, most specific first (Envoy's order), with the empty levels left out. */
export class CompiledMutations {
  readonly #requestRemovals: readonly string[];
  readonly #requestAdditions: readonly HeaderValueOption[];
  readonly #responseRemovals: readonly string[];
  readonly #responseAdditions: readonly HeaderValueOption[];

  constructor(levels: readonly HeaderMutations[]) {
    this.#requestRemovals = levels.flatMap((level) => level.requestHeadersToRemove);
    this.#requestAdditions = levels.flatMap((level) => level.requestHeadersToAdd);
    this.#responseRemovals = levels.flatMap((level) => level.responseHeadersToRemove);
    this.#responseAdditions = levels.flatMap((level) => level.responseHeadersToAdd);
  }

  get touchesRequest(): boolean {
    return this.#requestRemovals.length > 0 || this.#requestAdditions.length > 0;
  }

  get touchesResponse(): boolean {
    return this.#responseRemovals.length > 0 || this.#responseAdditions.length > 0;
  }

  applyToRequest(edits: HeaderEdits, fields: HeaderFields): void {
    apply(edits, fields, this.#requestRemovals, this.#requestAdditions);
  }

  applyToResponse(edits: HeaderEdits, fields: HeaderFields): void {
    apply(edits, fields, this.#responseRemovals, this.#responseAdditions);
  }
}

function apply(
  edits: HeaderEdits,
  fields: HeaderFields,
  removals: readonly string[],
  additions: readonly HeaderValueOption[],
): void {
  for (const name of removals) edits.remove(fields, name);
  for (const option of additions) applyHeaderValueOption(edits, fields, option);
}

/** One HeaderValueOption, by its append action. */
export function applyHeaderValueOption(edits: HeaderEdits, fields: HeaderFields, option: HeaderValueOption): void {
  switch (option.appendAction) {
    case 'appendIfExistsOrAdd':
      edits.add(option.name, option.value);
      return;
    case 'addIfAbsent':
      if (!isPresent(edits, fields, option.name)) edits.add(option.name, option.value);
      return;
    case 'overwriteIfExistsOrAdd':
      edits.set(fields, option.name, option.value);
      return;
    case 'overwriteIfExists':
      if (isPresent(edits, fields, option.name)) edits.set(fields, option.name, option.value);
      return;
  }
}

function isPresent(edits: HeaderEdits, fields: HeaderFields, name: string): boolean {
  for (let index = fields.indexOf(name); index >= 0; index = fields.indexOf(name, index + 1)) {
    if (!edits.isRemoved(index)) return true;
  }
  for (let pair = 0; pair < edits.added.length; pair += 2) if (edits.added[pair] === name) return true;
  return false;
}
