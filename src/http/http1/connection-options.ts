import { trimBlanks } from './blank.ts';
import type { Http1Fault } from './contract.ts';
import { FAULTS } from './faults.ts';
import { HOP_BY_HOP, type Http1Fields } from './field-table.ts';
import { isProtectedName } from './protected-names.ts';

export const OPTION_CLOSE = 1;
export const OPTION_KEEP_ALIVE = 2;
export const OPTION_UPGRADE = 4;

/** Each option is looked for among the fields: without a bound a head of options alone would cost their product. */
const MAX_OPTIONS = 64;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/**
 * Reads every Connection field (RFC 9110 §7.6.1) and marks the fields it names as hop-by-hop. Answers the options as bits,
 * or the fault: not a token, or a name that we or a policy rely on. `first` is the index of the first Connection field.
 */
export function readConnectionOptions(fields: Http1Fields, first: number): number | Http1Fault {
  let options = 0;
  for (let index = first; index >= 0; index = fields.indexOf('connection', index + 1)) {
    const value = fields.valueAt(index);
    if (value === 'keep-alive') options |= OPTION_KEEP_ALIVE;
    else if (value === 'close') options |= OPTION_CLOSE;
    else {
      const found = readList(fields, value.toLowerCase());
      if (typeof found !== 'number') return found;
      options |= found;
    }
  }
  return options;
}

function readList(fields: Http1Fields, list: string): number | Http1Fault {
  let options = 0;
  const elements = list.split(',', MAX_OPTIONS + 1);
  if (elements.length > MAX_OPTIONS) return FAULTS.tooManyOptions;
  for (const element of elements) {
    const option = trimBlanks(element);
    if (option === '') continue;
    if (option === 'close') options |= OPTION_CLOSE;
    else if (option === 'keep-alive') options |= OPTION_KEEP_ALIVE;
    else if (option === 'upgrade') options |= OPTION_UPGRADE;
    else if (!TOKEN.test(option)) return FAULTS.connectionOption;
    else if (isProtectedName(option)) return FAULTS.protectedNomination;
    else nominate(fields, option);
  }
  return options;
}

function nominate(fields: Http1Fields, name: string): void {
  for (let index = fields.indexOf(name); index >= 0; index = fields.indexOf(name, index + 1)) {
    fields.addFlags(index, HOP_BY_HOP);
  }
}

/** The protocol asked for in Upgrade values, lower case, `h2c` passed over; '' where none is usable. */
export function upgradeProtocol(fields: Http1Fields): string {
  for (let index = fields.indexOf('upgrade'); index >= 0; index = fields.indexOf('upgrade', index + 1)) {
    for (const element of fields.valueAt(index).toLowerCase().split(',')) {
      const protocol = trimBlanks(element);
      const [name = '', version] = protocol.split('/', 2);
      const isToken = TOKEN.test(name) && (version === undefined || TOKEN.test(version));
      if (isToken && name !== 'h2c' && name !== 'h2') return protocol;
    }
  }
  return '';
}
