import type { ProxyParts, ResourceLiteral } from './snapshot/snapshot.ts';
import type { TranslatedProxy, TranslatedUnit } from './translate/translate.ts';

/** The form each part of a proxy takes now. */
export interface ChosenUnits {
  /** New forms first, held ones after them. */
  readonly units: readonly TranslatedUnit[];
  /** A part that is wanted has no form at all yet. */
  readonly waiting: boolean;
}

/**
 * Chooses for every wanted part of a proxy: its new form where that is complete, else the form the proxy has. A part that
 * has a fault, or whose endpoints nobody knows yet, so never takes the others with it.
 */
export function chooseUnits(
  translated: TranslatedProxy,
  published: ReadonlyMap<string, TranslatedUnit>,
  isComplete: (unit: TranslatedUnit) => boolean,
): ChosenUnits {
  const complete = translated.units.filter(isComplete);
  const settled = new Set(complete.map(({ key }) => key));
  const unsettled = translated.units.map(({ key }) => key).filter((key) => !settled.has(key));
  const held = [...unsettled, ...translated.faultyUnits]
    .map((key) => published.get(key))
    .filter((unit) => unit !== undefined);
  return { units: [...complete, ...held], waiting: unsettled.some((key) => !published.has(key)) };
}

/** Parts may share a cluster; where their forms differ, the new one counts. */
export function mergedParts(units: readonly TranslatedUnit[]): ProxyParts {
  const resources = new Map<string, ResourceLiteral>();
  const assignments = new Set<string>();
  for (const unit of units) {
    for (const resource of unit.resources) {
      const key = `${resource.typeUrl}\0${resource.name}`;
      if (!resources.has(key)) resources.set(key, resource);
    }
    for (const { name } of unit.endpointGroups) assignments.add(name);
  }
  return { resources: [...resources.values()], assignments: [...assignments] };
}
