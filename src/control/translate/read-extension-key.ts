import { NUMBER_KEYS, type NumberKeyName, WORD_KEYS, type WordKeyName, type WordOf } from './extension-keys.ts';
import type { OptionReader } from './option-reader.ts';

/** Keys of ours, read by what their table says of them. */

export function numberKey(reader: OptionReader, name: NumberKeyName): number | undefined {
  const { min, max, type } = NUMBER_KEYS[name];
  return reader.number(name, { min, max, integer: type === 'whole number' });
}

export function wordKey<Name extends WordKeyName>(reader: OptionReader, name: Name): WordOf<Name> | undefined {
  return reader.oneOf<WordOf<Name>>(name, WORD_KEYS[name].words);
}
