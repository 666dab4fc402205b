import type { Fraction } from './matcher.ts';
import type { MessageReader } from './message-reader.ts';

const DENOMINATORS = { HUNDRED: 100, TEN_THOUSAND: 10_000, MILLION: 1_000_000 };

/** envoy.type.v3.Percent, 0 to 100; undefined where absent. */
export function decodePercent(reader: MessageReader | undefined): number | undefined {
  if (reader === undefined) return undefined;
  const percent = reader.number('value');
  if (percent >= 0 && percent <= 100) return percent;
  reader.fault('value', `must be from 0 to 100, not ${percent}`);
  return 0;
}

/** envoy.type.v3.FractionalPercent as a share from 0 to 1; more than its denominator counts as all. */
export function decodeFractionalPercent(reader: MessageReader | undefined): Fraction | undefined {
  if (reader === undefined) return undefined;
  return Math.min(reader.number('numerator') / reader.choice('denominator', DENOMINATORS, 100), 1);
}

/** envoy.config.core.v3.RuntimeFractionalPercent: its default value, as no runtime layer overrides it here. */
export function decodeRuntimeFraction(reader: MessageReader | undefined): Fraction | undefined {
  if (reader === undefined) return undefined;
  return decodeFractionalPercent(reader.requiredMessage('default_value'));
}
