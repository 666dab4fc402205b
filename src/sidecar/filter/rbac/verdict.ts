/**
 * What a rule says of a request: no, yes, or that it depends on how the message is read. Where readings differ (a field in
 * two lines of which one matches, a path that another server would spell otherwise) the answer is MAYBE, and whoever decides
 * takes it for the one that gives nothing away: an ALLOW policy does not match, a DENY policy does. NOT of MAYBE is MAYBE.
 */
export type Verdict = 0 | 1 | 2;

export const NO: Verdict = 0;
export const MAYBE: Verdict = 1;
export const YES: Verdict = 2;

export function verdictOf(matches: boolean): Verdict {
  return matches ? YES : NO;
}

export function not(verdict: Verdict): Verdict {
  return verdict === NO ? YES : verdict === YES ? NO : MAYBE;
}

/** Both readings of one thing. */
export function agreed(one: boolean, other: boolean): Verdict {
  return one === other ? verdictOf(one) : MAYBE;
}

/** A predicate that fails decides nothing. */
export function guarded(predicate: (text: string) => boolean): (text: string) => Verdict {
  return (text) => {
    try {
      return verdictOf(predicate(text));
    } catch {
      return MAYBE;
    }
  };
}
