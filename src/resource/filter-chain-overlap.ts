import type { CidrRange } from './address.ts';
import type { FilterChain, FilterChainMatch } from './listener.ts';
import type { MessageReader } from './message-reader.ts';

/** Two chains with the same criteria would make the choice between them a matter of luck. */
export function refuseEqualMatches(reader: MessageReader, chains: readonly FilterChain[]): void {
  const firstByMatch = new Map<string, number>();
  chains.forEach((chain, index) => {
    for (const key of matchKeys(chain.match)) {
      const first = firstByMatch.get(key);
      if (first === undefined) firstByMatch.set(key, index);
      else if (first !== index) {
        reader.fault(
          `filter_chains[${index}].filter_chain_match`,
          `matches the same as filter_chains[${first}]: ${key}`,
        );
        return;
      }
    }
  });
}

/** How many combinations of criteria one chain may spell out before they are compared as whole lists. */
const MAX_MATCH_COMBINATIONS = 10_000;

/** One key for each combination of criteria, as overlap in one combination is enough for a clash. */
function matchKeys(match: FilterChainMatch): readonly string[] {
  const criteria = [...criteriaOf(match), ...sourceCriteriaOf(match)];
  const combinations = criteria.reduce((product, values) => product * values.length, 1);
  if (combinations > MAX_MATCH_COMBINATIONS) return [JSON.stringify(criteria)];
  let keys: readonly string[] = [''];
  for (const values of criteria) keys = keys.flatMap((key) => values.map((value) => joined(key, value)));
  return keys;
}

/** For each criterion what it takes, `*` where it takes everything. */
function criteriaOf(match: FilterChainMatch): readonly (readonly string[])[] {
  const named = (name: string, values: readonly string[]): readonly string[] =>
    values.length === 0 ? [`${name} *`] : values.map((value) => `${name} ${value}`);
  return [
    [`port ${match.destinationPort ?? '*'}`],
    [`transport ${match.transportProtocol || '*'}`],
    named('range', match.prefixRanges.map(rangeText)),
    named('server name', match.serverNames),
    named('protocol', match.applicationProtocols),
  ];
}

/** Criteria that few set are not spoken of where they take everything. */
function sourceCriteriaOf({ source }: FilterChainMatch): readonly (readonly string[])[] {
  if (source === undefined) return [];
  const named = (name: string, values: readonly string[]): readonly string[] =>
    values.length === 0 ? [''] : values.map((value) => `${name} ${value}`);
  return [
    named('direct source range', source.directPrefixRanges.map(rangeText)),
    named('source type', source.type === 'any' ? [] : [source.type]),
    named('source range', source.prefixRanges.map(rangeText)),
    named('source port', source.ports.map(String)),
  ];
}

function joined(key: string, value: string): string {
  if (key === '' || value === '') return `${key}${value}`;
  return `${key}, ${value}`;
}

function rangeText({ addressPrefix, prefixLength }: CidrRange): string {
  return `${addressPrefix}/${prefixLength}`;
}
